//! A whole small world on one machine, with machines worth connecting to.
//!
//! ```text
//!   guide <- start -> floor: hmi, plc, screen, probes     the machine, on loopback
//!               \---> world: tenants, people, cases       the rows
//!                \--> gateway, agent                      the product, as it is
//! ```
//!
//! Nothing in here is pretended: the device is enrolled with a token, the gateway is the gateway,
//! and the machine speaks the protocols that machines speak.

mod floor;
mod guide;
mod hmi;
mod picture;
mod plc;
mod press;
mod probes;
mod screen;
mod start;
mod world;

pub use floor::FloorError;
pub use start::{DemoError, Options, run};

pub use crate::transport::CarrierChoice;
