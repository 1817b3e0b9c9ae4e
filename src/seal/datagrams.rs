//! A sealed flow of datagrams: boundaries are kept, and a slow leg drops rather than queues.

use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use tokio::{net::UdpSocket, sync::mpsc};

use crate::relay::{Leg, Meter, Pools};

use super::{ChannelKeys, PumpEnd, PumpError};

/// The longest UDP payload over IPv4 (65,535 less 20 of IP and 8 of UDP), in bytes.
pub const DATAGRAM_BYTES_MAX: usize = 65_507;

/// A local source and sink of datagrams.
pub trait DatagramEnd: Send + Unpin {
    /// Puts the next datagram into `buf` and says how long it is; `None` when no more will come.
    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<Option<usize>>>;

    /// Sends one datagram; not being ready means that it is dropped.
    fn poll_send(&mut self, cx: &mut Context<'_>, datagram: &[u8]) -> Poll<io::Result<()>>;
}

/// One flow of a local UDP socket that many flows share, told apart by where they come from.
#[derive(Debug)]
pub struct Flow {
    /// What came from `source`; the socket's reader drops what does not fit.
    pub received: mpsc::Receiver<Bytes>,
    /// Where answers leave from.
    pub socket: Arc<UdpSocket>,
    pub source: SocketAddr,
}

/// Carries datagrams both ways between `local` (a connected [`UdpSocket`] or a [`Flow`]) and the
/// sealed channel on `leg`, until none came for `idle`.
///
/// # Errors
///
/// [`PumpError`]; the leg was reset.
pub async fn pump_udp<D: DatagramEnd>(
    local: D,
    leg: Leg,
    keys: ChannelKeys,
    meter: &Meter,
    pools: &Pools,
    idle: Duration,
) -> Result<PumpEnd, PumpError> {
    unimplemented!()
}
