//! End to end: one TLS 1.3 handshake a session, numbered records a channel.
//!
//! The technician's end and the device's end drive this room; the gateway moves its bytes and cannot
//! read them.
//!
//! ```text
//!   technician's end                  relay                    device's end
//!    connect() ------- channel 0: TLS 1.3, both pinned ------- accept()
//!        |                                                        |
//!   SessionKeys ----------- the same secret ---------------- SessionKeys
//!        |  channel(n)                                            |  channel(n)
//!   pump_tcp, pump_udp ==== records of channel n ==== pump_tcp, pump_udp
//!        |                                                        |
//!     local end                                                target
//! ```
//!
//! A channel, each way:
//!
//! ```text
//!  type (1)   length (3, BE)   ciphertext (0 ..= 65,536)   tag (16)      nonce = record number,
//!  data | ack(next expected) | end | reset(cause) | datagram             AAD = the first four bytes
//! ```
//!
//! What always holds:
//!
//! * the keys of one channel are given out once, so that no nonce is used twice;
//! * a record that is forged, replayed, reordered, oversized or out of place ends its channel;
//! * a stream ends cleanly only by an authenticated `end`; anything else resets the local end.

mod bare;
mod boxes;
mod datagrams;
mod delivery;
mod handshake;
mod keys;
mod local;
mod pin;
mod record;
mod stream;
#[cfg(test)]
pub(crate) mod tests;

pub use bare::Records;
pub use datagrams::{DATAGRAM_BYTES_MAX, DatagramEnd, FLOW_END_TIME_MAX, Flow, pump_udp};
pub use handshake::{HANDSHAKE_TIME_MAX, HandshakeError, accept, connect};
pub use keys::{Algorithm, CHANNEL_WINDOW, ChannelKeys, ChannelSpent, End, SessionKeys};
pub use local::{LocalEnd, PumpEnd, PumpError, ResetCause};
pub use pin::Pin;
pub use record::{OpenError, Unsealable};
pub use stream::{END_ACK_TIME_MAX, pump_tcp};
