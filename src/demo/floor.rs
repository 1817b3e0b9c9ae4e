//! The demo's shop floor: one press and everything on it that can be connected to, on loopback.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, UdpSocket};
use tracing::warn;

use super::{hmi, plc, press::Press, probes, screen};
use crate::{clock::Now, tasks::Scope};

/// Where the machine's services listen; port 0 is any.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Floor {
    pub(super) hmi: SocketAddr,
    pub(super) plc: SocketAddr,
    pub(super) screen: SocketAddr,
    pub(super) echo: SocketAddr,
    pub(super) source: SocketAddr,
}

/// A service of the demo's machine that cannot listen.
#[derive(Debug, thiserror::Error)]
#[error(
    "the demo's machine cannot listen on {at}: if this demo runs already, stop it; else name \
     another --dir"
)]
pub struct FloorError {
    at: SocketAddr,
    source: io::Error,
}

impl Floor {
    /// A machine at `address`, on ports that the system will choose.
    pub(super) fn new(address: IpAddr) -> Self {
        let any = SocketAddr::new(address, 0);
        Self { hmi: any, plc: any, screen: any, echo: any, source: any }
    }

    /// Starts the machine, for as long as `scope` runs; gives the ports that it really has.
    ///
    /// # Errors
    ///
    /// [`FloorError`], naming the address.
    pub(super) async fn start(self, scope: &Scope) -> Result<Self, FloorError> {
        let press = Arc::new(Press::new(Now::read().mono));
        let (hmi, hmi_at) = listener(self.hmi).await?;
        let (plc, plc_at) = listener(self.plc).await?;
        let (screen, screen_at) = listener(self.screen).await?;
        let (source, source_at) = listener(self.source).await?;
        let fault = |source| FloorError { at: self.echo, source };
        let echo = UdpSocket::bind(self.echo).await.map_err(fault)?;
        let echo_at = echo.local_addr().map_err(fault)?;
        run(scope, "hmi", hmi::serve(hmi, press.clone(), scope.clone()));
        run(scope, "plc", plc::serve(plc, press.clone()));
        run(scope, "screen", screen::serve(screen, press, scope.clone()));
        run(scope, "source", probes::source(source, scope.clone()));
        run(scope, "echo", probes::echo(echo));
        Ok(Self { hmi: hmi_at, plc: plc_at, screen: screen_at, echo: echo_at, source: source_at })
    }
}

async fn listener(at: SocketAddr) -> Result<(TcpListener, SocketAddr), FloorError> {
    let fault = |source| FloorError { at, source };
    let listener = TcpListener::bind(at).await.map_err(fault)?;
    let address = listener.local_addr().map_err(fault)?;
    Ok((listener, address))
}

/// The machine has no part that must outlive a stop: it ends with its scope.
fn run<S>(scope: &Scope, name: &'static str, service: S)
where
    S: Future<Output = io::Result<()>> + Send + 'static,
{
    let stop = scope.stop();
    scope.spawn(name, async move {
        tokio::select! {
            biased;
            // Cancel-safe: only observes.
            () = stop.asked() => {}
            // Dropped on purpose when stopped.
            ended = service => warn!(name, ?ended, "a service of the demo machine ended"),
        }
    });
}
