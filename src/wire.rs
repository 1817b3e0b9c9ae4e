//! What peers say: frames, control messages, the join, enrolment; their limits and versions.
//!
//! ```text
//!   peer                         gateway
//!    | Hello{protocol, nonce} ---> |            control stream: JSON in Control frames
//!    | <--- Welcome{heartbeat} --- |
//!    |                             |
//!    | Join(token) --------------> |            each leg: one Join frame, one answer,
//!    | <------- Joined / refusal - |            then sealed bytes and no frames any more
//!    |                             |
//!    | EnrolRequest -------------> |            enrolment: one Control frame each way
//!    | <------------- EnrolReply - |
//! ```
//!
//! [`frame`](take) is pure; [`ControlReader`] and [`ControlWriter`] drive it over any stream. Bytes
//! from outside end in a message or an error, never in a panic, and never make us hold more than
//! the limit that the caller names.

mod control;
mod enrol;
mod frame;
mod json;
mod message;
#[cfg(test)]
mod tests;

pub use control::{
    ControlReader, ControlWriter, ReadError, SEND_TIMEOUT, SendError, first_kind, send_frame,
};
pub use enrol::{EnrolReply, EnrolRequest, Enrolled};
pub use frame::{
    FIRST_BYTE, First, Frame, FrameError, HEADER_BYTES, JoinRefusal, Kind, PutError, first, put,
    put_message, take,
};
pub use json::{InvalidMessage, parse};
pub use message::{
    AgentSays, GatewayTellsAgent, GatewayTellsTechnician, Hello, Opened, TechnicianSays, Welcome,
};

/// The version of everything in this room; both sides must speak the same.
pub const PROTOCOL: u16 = 1;

/// The longest control payload, in bytes.
pub const PAYLOAD_BYTES_MAX: usize = 65_535;

/// What a peer may make us hold before it is authenticated, in bytes.
pub const PREAUTH_BYTES_MAX: usize = 65_536;

/// The longest payload of a connection's first frame, and of an enrolment, in bytes: a `Hello`, a
/// token, a certificate request. Above it the connection ends.
pub const FIRST_PAYLOAD_BYTES_MAX: usize = 8_192;

/// How deep a control message's JSON may nest.
pub const JSON_DEPTH_MAX: usize = 32;

/// The longest string in a control message, in bytes. The texts that certify (a warrant, a
/// certificate or a request for one) are exempt: they are bounded by the frame.
pub const STRING_BYTES_MAX: usize = 1_024;
