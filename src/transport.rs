//! Authenticated connections and legs: QUIC and TLS over TCP behind one face.
//!
//! ```text
//!  peer                                              gateway
//!  Dialer::connect ====== TLS over TCP | QUIC =====> Listener ---> Arrivals.peers: Control
//!    |  control: reader, writer, closer                |             \ Leg(PendingLeg)
//!    \- LegDialer::open(token) == Join, Joined ======> |              \ Enrol(PendingEnrolment)
//!       => relay::Leg                                  \--> Arrivals.http: HttpStream
//! ```
//!
//! On TCP a leg is a connection of its own, a bare socket, because what flows is sealed end to end:
//! its first frame is the join, and the token in it is its entrance. Where the network passes TLS
//! alone, the leg begins inside TLS and steps out behind `Joined`; both sides therefore read TLS one
//! record at a time and never a byte further. On QUIC a leg is a stream of the peer's one connection.
//!
//! What always holds: a permit before a task, a task before a handshake, every handshake and first
//! frame under one absolute deadline; a stranger can make us hold at most
//! [`PREAUTH_BYTES_MAX`](crate::wire::PREAUTH_BYTES_MAX).

mod admission;
mod arrive_quic;
mod arrive_tcp;
mod connection;
mod dial;
mod legs;
mod limits;
mod listen;
mod proxy;
mod quic;
mod record;
mod stream;
#[cfg(test)]
mod tests;
mod url;

pub use connection::{
    AcceptError, Carrier, Closer, Connection, Peer, PendingEnrolment, PendingLeg,
};
pub use dial::{CarrierChoice, DialError, DialOptions, Dialer, Dialled, EnrolError, HttpProxy};
pub use legs::{JoinError, LegDialer};
pub use limits::{Limits, raise_open_files};
pub use listen::{Arrivals, BindError, ListenOptions, Listener, PeerArrival};
pub use stream::TlsStream;
pub use url::{GATEWAY_PORT_DEFAULT, GatewayUrl, InvalidUrl, authority, split_host};
