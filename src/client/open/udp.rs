//! UDP listeners: each source address is one flow, each flow one channel.
//!
//! ```text
//!   socket.recv_from --> by source --> queue of the flow --> pump_udp ==> leg
//!          ^                              (full: dropped)        |
//!          +------------------- send_to(source) <----------------+
//! ```

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{net::UdpSocket, sync::mpsc};

use super::{
    plan::Place,
    session::{Channel, Session},
};
use crate::{
    seal::{self, Flow},
    tasks::Scope,
    telemetry::one_line,
};

/// A flow without a datagram for this long is over.
const IDLE: Duration = Duration::from_secs(60);

/// Flows of one listener at once; datagrams from further sources are dropped.
const FLOWS_MAX: usize = 64;

/// Datagrams of one flow that wait for its channel; more are dropped, as a network would.
const QUEUE_MAX: usize = 64;

/// The longest datagram there can be, in bytes.
const DATAGRAM_BYTES_MAX: usize = 65_535;

/// How long to wait after a failed read.
const READ_PAUSE: Duration = Duration::from_millis(100);

/// Serves `socket` until its scope ends.
pub(super) async fn serve(socket: UdpSocket, place: Place, session: Arc<Session>, scope: Scope) {
    let mut flows = Flows {
        socket: Arc::new(socket),
        place: Arc::new(place),
        session,
        scope: scope.clone(),
        by_source: BTreeMap::new(),
        full: false,
    };
    let socket = Arc::clone(&flows.socket);
    let stop = scope.stop();
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    loop {
        let received = tokio::select! {
            biased;
            // Cancel-safe: only observes.
            () = stop.asked() => return,
            // Cancel-safe: `UdpSocket::recv_from`, by its documentation.
            received = socket.recv_from(&mut buffer) => received,
        };
        match received {
            Ok((length, source)) => {
                let datagram = buffer.get(..length).unwrap_or_default();
                flows.hand_over(source, Bytes::copy_from_slice(datagram));
            }
            // An answer to what we sent before; the socket itself is well, or soon will be.
            Err(_) => tokio::time::sleep(READ_PAUSE).await,
        }
    }
}

struct Flows {
    socket: Arc<UdpSocket>,
    place: Arc<Place>,
    session: Arc<Session>,
    scope: Scope,
    by_source: BTreeMap<SocketAddr, mpsc::Sender<Bytes>>,
    /// Whether it was told that there is no room.
    full: bool,
}

impl Flows {
    /// Gives a datagram to its flow; begins one where there is none.
    fn hand_over(&mut self, source: SocketAddr, datagram: Bytes) {
        let datagram = match self.by_source.get(&source) {
            Some(flow) => match flow.try_send(datagram) {
                Ok(()) | Err(mpsc::error::TrySendError::Full(_)) => return,
                Err(mpsc::error::TrySendError::Closed(datagram)) => datagram,
            },
            None => datagram,
        };
        self.by_source.retain(|_, flow| !flow.is_closed());
        if self.by_source.len() >= FLOWS_MAX {
            if !self.full {
                self.session.terminal().note(format_args!(
                    "{}: {FLOWS_MAX} UDP flows already; datagrams from others are dropped",
                    self.place.target
                ));
            }
            self.full = true;
            return;
        }
        self.full = false;
        self.begin(source, datagram);
    }

    fn begin(&mut self, source: SocketAddr, first: Bytes) {
        let (sender, received) = mpsc::channel(QUEUE_MAX);
        // A queue that was just made has room for one.
        let _ = sender.try_send(first);
        self.by_source.insert(source, sender);
        let flow = Flow { received, socket: Arc::clone(&self.socket), source };
        let (place, session) = (Arc::clone(&self.place), Arc::clone(&self.session));
        self.scope.spawn("flow", async move { carry(flow, &place, &session).await });
    }
}

async fn carry(flow: Flow, place: &Place, session: &Arc<Session>) {
    let Channel { leg, keys, _room } = match session.channel(place).await {
        Ok(channel) => channel,
        Err(fault) => return session.refused(place, &fault),
    };
    let ended = seal::pump_udp(flow, leg, keys, session.meter(), session.pools(), IDLE).await;
    match ended {
        Ok(end) => session.terminal().detail(format_args!("{}: flow over: {end:?}", place.target)),
        Err(error) => {
            let how = one_line(&error);
            session.terminal().detail(format_args!("{}: flow lost: {how}", place.target));
        }
    }
}
