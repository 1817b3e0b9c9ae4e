//! Caseway: secure remote access to machines, case by case. This file is the map of the house.
//!
//! What decides is kept apart from what moves bytes; `tests/it/architecture.rs` holds who may
//! import whom.
//!
//! ```text
//!  9  doors      bin/caseway-gateway   bin/caseway-agent   bin/caseway
//!  8  paper      config
//!  7  process    gateway   demo
//!  6  faces      peers     console    webhooks     mail
//!  5  beam                broker
//!  4  process    agent   client             |  session
//!  3  rooms      transport   wire           |  store     authz
//!  2  rooms      tls   seal   relay         |  warrant   token   registry   audit   machines   tenancy   cases
//!                                          |  groups   workspaces   visibility   hooks   notices   imports
//!  1  ground          secret   tasks   ids   clock   telemetry
//!                <-------- bytes -------->     <---------------- decisions ---------------->
//! ```

// Ground.
pub mod clock;
pub mod ids;
pub mod secret;
pub mod tasks;
pub mod telemetry;

// Decisions.
pub mod audit;
#[cfg(feature = "gateway")]
pub mod authz;
pub mod cases;
pub mod groups;
#[cfg(feature = "gateway")]
pub mod hooks;
#[cfg(feature = "gateway")]
pub mod imports;
pub mod machines;
#[cfg(feature = "gateway")]
pub mod notices;
#[cfg(feature = "gateway")]
pub mod registry;
#[cfg(feature = "gateway")]
pub mod session;
#[cfg(feature = "gateway")]
pub mod store;
pub mod tenancy;
pub mod token;
pub mod visibility;
pub mod warrant;
pub mod workspaces;

// Bytes.
pub mod relay;
pub mod seal;
pub mod tls;
pub mod transport;
pub mod wire;

// Beam and faces.
#[cfg(feature = "gateway")]
pub mod broker;
#[cfg(feature = "gateway")]
pub mod console;
#[cfg(feature = "gateway")]
pub mod mail;
#[cfg(feature = "gateway")]
pub mod peers;
#[cfg(feature = "gateway")]
pub mod webhooks;

// Processes and their paper.
#[cfg(feature = "agent")]
pub mod agent;
#[cfg(feature = "client")]
pub mod client;
pub mod config;
#[cfg(feature = "demo")]
pub mod demo;
#[cfg(feature = "gateway")]
pub mod gateway;
