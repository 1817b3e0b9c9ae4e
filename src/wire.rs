//! What peers say: frames, control messages, the join; their limits and versions.
//!
//! ```text
//!   peer                         gateway
//!    | Hello{protocol, nonce} ---> |            control stream: JSON in Control frames
//!    | <--- Welcome{heartbeat} --- |
//!    |                             |
//!    | Join(token) --------------> |            each leg: one Join frame, one answer,
//!    | <------------------ Joined  |            then sealed bytes and no frames any more
//! ```

mod message;

pub use message::{
    AgentSays, GatewayTellsAgent, GatewayTellsTechnician, Hello, Opened, TechnicianSays, Welcome,
};

/// The version of everything in this room; both sides must speak the same.
pub const PROTOCOL: u16 = 1;

/// The longest control payload, in bytes.
pub const PAYLOAD_BYTES_MAX: usize = 65_535;

/// What a peer may make us hold before it is authenticated, in bytes.
pub const PREAUTH_BYTES_MAX: usize = 65_536;

/// How deep a control message's JSON may nest.
pub const JSON_DEPTH_MAX: usize = 32;

/// The longest string in a control message, in bytes. A warrant's text is exempt: it is bounded by
/// the frame.
pub const STRING_BYTES_MAX: usize = 1_024;
