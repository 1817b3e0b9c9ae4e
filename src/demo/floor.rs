//! The demo's shop floor: one press and everything on it that can be connected to, on loopback.

use std::{io, net::SocketAddr, sync::Arc};

use tokio::net::{TcpListener, UdpSocket};
use tracing::warn;

use super::{hmi, plc, press::Press, probes, screen};
use crate::{clock::Now, tasks::Scope};

/// Where the machine's services listen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Floor {
    pub(super) hmi: SocketAddr,
    pub(super) plc: SocketAddr,
    pub(super) screen: SocketAddr,
    pub(super) echo: SocketAddr,
    pub(super) source: SocketAddr,
}

impl Floor {
    /// Starts the machine on ports that the system chooses; it runs as long as `scope`.
    ///
    /// # Errors
    ///
    /// When loopback gives no port.
    pub(super) async fn start(scope: &Scope) -> io::Result<Self> {
        let press = Arc::new(Press::new(Now::read().mono));
        let (hmi, hmi_at) = listener().await?;
        let (plc, plc_at) = listener().await?;
        let (screen, screen_at) = listener().await?;
        let (source, source_at) = listener().await?;
        let echo = UdpSocket::bind("127.0.0.1:0").await?;
        let echo_at = echo.local_addr()?;
        run(scope, "hmi", hmi::serve(hmi, press.clone(), scope.clone()));
        run(scope, "plc", plc::serve(plc, press.clone()));
        run(scope, "screen", screen::serve(screen, press, scope.clone()));
        run(scope, "source", probes::source(source, scope.clone()));
        run(scope, "echo", probes::echo(echo));
        Ok(Self { hmi: hmi_at, plc: plc_at, screen: screen_at, echo: echo_at, source: source_at })
    }
}

async fn listener() -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
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
