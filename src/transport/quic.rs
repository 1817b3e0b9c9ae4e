//! QUIC: its limits, and its streams as control streams and legs.

use std::{
    io,
    net::UdpSocket,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use quinn::{
    AckFrequencyConfig, ConnectionError, IdleTimeout, RecvStream, SendStream, TransportConfig,
    VarInt,
    crypto::rustls::{QuicClientConfig, QuicServerConfig},
};
use rustix::net::sockopt;
use rustls::AlertDescription;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{
    relay::LegStream,
    tls::{Door, GatewayTls, PeerTls, TlsFault},
    wire::PREAUTH_BYTES_MAX,
};

/// One stream's window: a gigabit at 100 ms.
pub(super) const STREAM_WINDOW: u32 = 16 << 20;
/// All streams of one connection together.
pub(super) const WINDOW: u32 = 32 << 20;
/// The same before the peer is known.
pub(super) const PREAUTH_WINDOW: u32 = 65_536;
/// What is kept for sending again, a connection.
pub(super) const SEND_WINDOW: u64 = 16 << 20;
/// Streams that a quiet peer may open; quinn allocates for each permitted one.
pub(super) const STREAMS_IDLE: u32 = 8;
/// Streams that a busy peer may open.
pub(super) const STREAMS_MAX: u32 = 256;
/// One-way streams: none are used yet.
pub(super) const UNI_STREAMS: u32 = 2;
/// A connection in silence for so long is over.
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_secs(15);
/// How often both sides break the silence.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// Packets that may arrive before one must be acknowledged; later ones wait for no more than the
/// round trip, or 25 ms.
pub(super) const UNACKNOWLEDGED_MAX: u32 = 9;
/// What the kernel may hold of a UDP socket, each way: some 30 ms of a gigabit.
///
/// # Source
///
/// Measured over 500 Mbit/s at 100 ms (`cargo bench --bench tunnel -- --far`): with the usual 208 KiB
/// bursts are lost, and one channel fills 0.46 of the line down and 0.35 up; with this 0.89 both ways.
pub(super) const SOCKET_BYTES: usize = 4 << 20;
/// First packets that wait to be looked at; more are dropped.
pub(super) const INCOMING_MAX: usize = 1_024;
/// Bytes of connections that wait to be looked at.
pub(super) const INCOMING_BYTES_MAX: u64 = 16 << 20;

/// The code of every close and reset; reasons are told on the control stream.
pub(super) const OVER: VarInt = VarInt::from_u32(0);

const _: () = assert!(PREAUTH_WINDOW as usize <= PREAUTH_BYTES_MAX);

fn transport(window: u32, streams: u32, uni: u32) -> TransportConfig {
    let mut config = TransportConfig::default();
    let idle = u32::try_from(IDLE_TIMEOUT.as_millis()).unwrap_or(u32::MAX);
    config
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
        .receive_window(VarInt::from_u32(window))
        .send_window(SEND_WINDOW)
        .max_concurrent_bidi_streams(VarInt::from_u32(streams))
        .max_concurrent_uni_streams(VarInt::from_u32(uni))
        .max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(idle))))
        .keep_alive_interval(Some(KEEP_ALIVE))
        .ack_frequency_config(Some(acknowledgements()))
        .datagram_receive_buffer_size(None);
    config
}

/// How often the other side acknowledges.
fn acknowledgements() -> AckFrequencyConfig {
    let mut config = AckFrequencyConfig::default();
    config.ack_eliciting_threshold(VarInt::from_u32(UNACKNOWLEDGED_MAX));
    config
}

/// What the gateway offers: addresses may change, nothing is sent early.
pub(super) fn server_transport() -> TransportConfig {
    transport(PREAUTH_WINDOW, STREAMS_IDLE, UNI_STREAMS)
}

/// What a dialling peer offers: the gateway opens no streams.
pub(super) fn client_transport() -> TransportConfig {
    transport(WINDOW, 0, 0)
}

/// A UDP socket with room for a burst: what arrives while it is full is lost, and a loss halves what
/// a long path carries.
pub(super) fn roomy(socket: UdpSocket) -> UdpSocket {
    // The kernel gives as much as the system permits (net.core.rmem_max, wmem_max).
    let _ = sockopt::set_socket_recv_buffer_size(&socket, SOCKET_BYTES);
    let _ = sockopt::set_socket_send_buffer_size(&socket, SOCKET_BYTES);
    socket
}

/// The gateway's config.
pub(super) fn server_config(
    tls: &GatewayTls,
) -> Result<quinn::ServerConfig, quinn::crypto::rustls::NoInitialCipherSuite> {
    let crypto = QuicServerConfig::try_from(tls.config(Door::Peer))?;
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
    config
        .transport_config(Arc::new(server_transport()))
        .migration(true)
        .max_incoming(INCOMING_MAX)
        .incoming_buffer_size(u64::from(PREAUTH_WINDOW))
        .incoming_buffer_size_total(INCOMING_BYTES_MAX);
    Ok(config)
}

/// A dialling peer's config; `None` without an identity.
pub(super) fn client_config(tls: &PeerTls) -> Option<quinn::ClientConfig> {
    let crypto = QuicClientConfig::try_from(tls.config(Door::Peer)?).ok()?;
    let mut config = quinn::ClientConfig::new(Arc::new(crypto));
    config.transport_config(Arc::new(client_transport()));
    Some(config)
}

/// The alert inside a QUIC error code: 0x100 to 0x1ff (RFC 9001 section 4.8).
fn alert(code: quinn::TransportErrorCode) -> Option<AlertDescription> {
    let code = u64::from(code).checked_sub(0x100)?;
    u8::try_from(code).ok().map(AlertDescription::from)
}

/// The TLS fault inside a failed connection, if there is one. Of our own faults quinn keeps the text.
pub(super) fn fault(error: &ConnectionError) -> Option<TlsFault> {
    match error {
        ConnectionError::TransportError(ours) => {
            let alert = alert(ours.code)?;
            Some(if alert == AlertDescription::UnknownCA {
                TlsFault::ForeignCa
            } else if alert == AlertDescription::NoApplicationProtocol {
                TlsFault::Protocol
            } else {
                TlsFault::Other(ours.reason.clone())
            })
        }
        ConnectionError::ConnectionClosed(theirs) => {
            alert(theirs.error_code).map(TlsFault::of_alert)
        }
        ConnectionError::VersionMismatch
        | ConnectionError::ApplicationClosed(_)
        | ConnectionError::Reset
        | ConnectionError::TimedOut
        | ConnectionError::LocallyClosed
        | ConnectionError::CidsExhausted => None,
    }
}

/// Ends a QUIC connection when the last half of its control stream is dropped.
#[derive(Debug)]
struct EndsWith(quinn::Connection);

impl Drop for EndsWith {
    fn drop(&mut self) {
        self.0.close(OVER, b"");
    }
}

/// The reading half of a QUIC control stream.
#[derive(Debug)]
pub(super) struct ControlRecv {
    recv: RecvStream,
    _ends: Arc<EndsWith>,
}

/// The writing half of a QUIC control stream.
#[derive(Debug)]
pub(super) struct ControlSend {
    send: SendStream,
    _ends: Arc<EndsWith>,
}

/// Both halves of a control stream; the connection ends with the last of them.
pub(super) fn control(
    connection: &quinn::Connection,
    send: SendStream,
    recv: RecvStream,
) -> (ControlRecv, ControlSend) {
    let ends = Arc::new(EndsWith(connection.clone()));
    (ControlRecv { recv, _ends: Arc::clone(&ends) }, ControlSend { send, _ends: ends })
}

/// A read error of a lost connection, in words where TLS was the cause.
fn read_error(error: io::Error) -> io::Error {
    let lost = error.get_ref().and_then(|inner| inner.downcast_ref::<quinn::ReadError>());
    if let Some(quinn::ReadError::ConnectionLost(lost)) = lost
        && let Some(fault) = fault(lost)
    {
        return io::Error::new(error.kind(), fault);
    }
    error
}

impl AsyncRead for ControlRecv {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        AsyncRead::poll_read(Pin::new(&mut self.recv), cx, buf).map_err(read_error)
    }
}

impl AsyncWrite for ControlSend {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        AsyncWrite::poll_write(Pin::new(&mut self.send), cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.send).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.send).poll_shutdown(cx)
    }
}

/// A leg on QUIC. Dropped before its end it is reset, so that the peer never takes a cut for an end.
pub(super) struct QuicLeg {
    send: SendStream,
    recv: RecvStream,
    ended: bool,
    /// Its place among the connection's streams, or what keeps the connection.
    _keeps: Option<Box<dyn Send>>,
}

impl QuicLeg {
    pub(super) fn new(send: SendStream, recv: RecvStream) -> Self {
        Self { send, recv, ended: false, _keeps: None }
    }

    /// Keeps `counted` as long as the leg lives.
    pub(super) fn counted(mut self, counted: impl Send + 'static) -> Self {
        self._keeps = Some(Box::new(counted));
        self
    }
}

impl LegStream for QuicLeg {
    fn abort(&mut self) {
        self.ended = true;
        // Both fail only where the stream is over already.
        let _ = self.send.reset(OVER);
        let _ = self.recv.stop(OVER);
    }
}

impl Drop for QuicLeg {
    fn drop(&mut self) {
        if !self.ended {
            self.abort();
        }
    }
}

impl AsyncRead for QuicLeg {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        AsyncRead::poll_read(Pin::new(&mut self.recv), cx, buf)
    }
}

impl AsyncWrite for QuicLeg {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        AsyncWrite::poll_write(Pin::new(&mut self.send), cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.send).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.ended = true;
        Pin::new(&mut self.send).poll_shutdown(cx)
    }
}
