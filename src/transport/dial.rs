//! Dialling out: what agents and technicians' programs do.

use std::{fmt, io, net::IpAddr};

use super::{Carrier, Closer, TlsStream};
use crate::{
    relay::Leg,
    secret::SecretText,
    tasks::Scope,
    tls::{PeerTls, TlsFault},
    token::JoinToken,
    wire::{
        ControlReader, ControlWriter, EnrolReply, EnrolRequest, JoinRefusal, ReadError, SendError,
    },
};

/// Which carrier a peer takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CarrierChoice {
    /// TLS over TCP; QUIC when TCP fails.
    #[default]
    Auto,
    /// TLS over TCP only.
    Tcp,
    /// QUIC; TLS over TCP when UDP is blocked.
    Quic,
}

/// An HTTP proxy that opens TCP connections by CONNECT (RFC 9110 section 9.3.6).
#[derive(Clone, Debug)]
pub struct HttpProxy {
    pub host: String,
    pub port: u16,
    /// User and password for Basic authentication.
    pub basic: Option<(String, SecretText)>,
}

/// Where to dial and how.
#[derive(Clone, Debug)]
pub struct DialOptions {
    /// DNS name or address of the gateway; its certificate must name it.
    pub host: String,
    pub port: u16,
    pub carrier: CarrierChoice,
    /// For TCP; QUIC is not tried through a proxy.
    pub proxy: Option<HttpProxy>,
    /// The local address to dial from; any, if none.
    pub bind: Option<IpAddr>,
    /// TCP legs that are kept let in ahead of need; 0 to 8.
    pub legs_ahead: usize,
}

/// A gateway that was not reached.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    #[error("the name `{host}` has no address: check the name and the DNS")]
    Resolve { host: String, source: io::Error },
    #[error("cannot reach {address} over {carrier}")]
    Connect { address: String, carrier: Carrier, source: io::Error },
    #[error("{address} does not answer over {carrier} in time")]
    Timeout { address: String, carrier: Carrier },
    #[error("cannot reach the proxy {proxy}")]
    ProxyConnect { proxy: String, source: io::Error },
    #[error("the proxy {proxy} refused: {status} {reason}")]
    ProxyRefused { proxy: String, status: u16, reason: String },
    #[error("the proxy {proxy} answered what is no HTTP")]
    ProxyMalformed { proxy: String },
    #[error("no secure connection to {address}")]
    Tls {
        address: String,
        #[source]
        fault: TlsFault,
    },
    #[error("there is no certificate to show: enrol or log in first")]
    NoIdentity,
    #[error("`{0}` is neither a DNS name nor an address")]
    Name(String),
    #[error("neither carrier reaches the gateway: {tcp}; {quic}")]
    Neither { tcp: Box<DialError>, quic: Box<DialError> },
}

/// A leg that was not joined.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    #[error("the leg's connection failed")]
    Dial(#[source] DialError),
    #[error("the join cannot be sent")]
    Send(#[source] SendError),
    #[error("no answer to the join")]
    Read(#[source] ReadError),
    #[error("the gateway does not answer the join in time")]
    Timeout,
    #[error("the join was refused")]
    Refused(#[source] JoinRefusal),
    #[error("the gateway ended the leg without an answer")]
    Ended,
}

/// An enrolment that got no answer. A refusal is an answer.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error("the request cannot be sent")]
    Send(#[source] SendError),
    #[error("no answer to the request")]
    Read(#[source] ReadError),
    #[error("the gateway does not answer the request in time")]
    Timeout,
    #[error("the gateway ended the connection without an answer")]
    Ended,
}

/// Dials one gateway.
#[derive(Clone, Debug)]
pub struct Dialer {
    options: DialOptions,
    tls: PeerTls,
}

/// A connection to a gateway. `Hello` is the caller's to say.
#[derive(Debug)]
pub struct Dialled {
    pub reader: ControlReader,
    pub writer: ControlWriter,
    pub closer: Closer,
    pub legs: LegDialer,
    pub carrier: Carrier,
}

/// Opens legs beside a connection, as long as that stands. Cheap to clone.
#[derive(Clone)]
pub struct LegDialer {}

impl fmt::Debug for LegDialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LegDialer")
    }
}

#[expect(clippy::unused_async, reason = "being built")]
impl Dialer {
    /// Dials as `options` say.
    #[must_use]
    pub fn new(options: DialOptions, tls: PeerTls) -> Self {
        Self { options, tls }
    }

    /// Connects over the first carrier that works. Legs are kept ahead by a task of `scope`, which
    /// ends with the last [`LegDialer`].
    ///
    /// # Errors
    ///
    /// [`DialError`].
    pub async fn connect(&self, scope: &Scope) -> Result<Dialled, DialError> {
        let _ = (&self.options, &self.tls, scope);
        unimplemented!()
    }

    /// A stream to the gateway's HTTP door (`http/1.1`); needs no identity.
    ///
    /// # Errors
    ///
    /// [`DialError`].
    pub async fn http(&self) -> Result<TlsStream, DialError> {
        unimplemented!()
    }

    /// Asks for the first certificate; needs no identity.
    ///
    /// # Errors
    ///
    /// [`EnrolError`].
    pub async fn enrol(&self, request: &EnrolRequest) -> Result<EnrolReply, EnrolError> {
        let _ = request;
        unimplemented!()
    }
}

#[expect(clippy::unused_async, reason = "being built")]
impl LegDialer {
    /// Opens a leg with a join token: one round trip where a connection stands ready.
    ///
    /// # Errors
    ///
    /// [`JoinError`].
    pub async fn open(&self, token: &JoinToken) -> Result<Leg, JoinError> {
        let _ = token;
        unimplemented!()
    }
}
