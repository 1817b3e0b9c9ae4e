//! HTTP on streams that the transport has already let in: limits first, then the router.

use std::{convert::Infallible, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{Router, body::Body, response::Response};
use hyper::{body::Incoming, rt::Executor, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Semaphore,
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use tracing::debug;

use crate::tasks::Scope;

/// The longest head of a request.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// The same, as HTTP/2 counts it.
const HEAD_LIST_BYTES_MAX: u32 = 16 * 1024;
/// How often a silent HTTP/2 connection is asked whether it is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// The longest that a request's head may take to arrive.
const HEAD_READ_MAX: Duration = Duration::from_secs(10);
/// Requests at once on one HTTP/2 connection.
const STREAMS_MAX: u32 = 64;
/// A connection ends after this, busy or not; the caller opens another.
const CONNECTION_MAX: Duration = Duration::from_secs(60 * 60);
/// How long a connection may finish its requests once a stop was asked.
const CLOSE_MAX: Duration = Duration::from_secs(5);

/// Where the caller's connection comes from; put beside each request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Remote(pub(super) SocketAddr);

/// Serves HTTP on streams handed to it.
#[derive(Clone, Debug)]
pub struct Door {
    router: Router,
    seats: Arc<Semaphore>,
    scope: Scope,
}

impl Door {
    pub(super) fn new(router: Router, connections_max: usize, scope: Scope) -> Self {
        Self { router, seats: Arc::new(Semaphore::new(connections_max)), scope }
    }

    /// Serves `stream` in a task of its own. Never waits: past the limit of connections the stream
    /// is dropped, which closes it.
    pub fn take<S>(&self, stream: S, remote: SocketAddr)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Ok(seat) = Arc::clone(&self.seats).try_acquire_owned() else {
            debug!(%remote, "too many HTTP connections: closed");
            return;
        };
        let (router, scope) = (self.router.clone(), self.scope.clone());
        self.scope.spawn("http", async move {
            let _seat = seat;
            serve(stream, remote, router, scope).await;
        });
    }
}

async fn serve<S>(stream: S, remote: SocketAddr, router: Router, scope: Scope)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let begun = CancellationToken::new();
    let service = service(router, remote, begun.clone());
    let builder = builder(scope.clone());
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let stop = scope.stop();
    let ended = tokio::select! {
        biased;
        // Cancel-safe: only observes.
        () = stop.asked() => None,
        // Not dropped: pinned outside.
        ended = connection.as_mut() => Some(ended),
        // Dropped on purpose: nothing was asked in time.
        () = first_request_late(&begun) => return,
        // Dropped on purpose at its limit.
        () = tokio::time::sleep(CONNECTION_MAX) => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            connection.as_mut().graceful_shutdown();
            match tokio::time::timeout(CLOSE_MAX, connection).await {
                Ok(ended) => ended,
                Err(_) => return,
            }
        }
    };
    if let Err(fault) = ended {
        debug!(%remote, fault, "HTTP connection ended");
    }
}

/// Ready when no first request came in time; never, once one came. The server's own head timer
/// only starts with the first byte.
async fn first_request_late(begun: &CancellationToken) {
    if tokio::time::timeout(HEAD_READ_MAX, begun.cancelled()).await.is_ok() {
        std::future::pending::<()>().await;
    }
}

fn service(
    router: Router,
    remote: SocketAddr,
    begun: CancellationToken,
) -> impl hyper::service::Service<
    hyper::Request<Incoming>,
    Response = Response,
    Error = Infallible,
    Future = impl Future<Output = Result<Response, Infallible>> + Send + 'static,
> + Send
+ 'static {
    service_fn(move |mut request: hyper::Request<Incoming>| {
        begun.cancel();
        request.extensions_mut().insert(Remote(remote));
        router.clone().oneshot(request.map(Body::new))
    })
}

fn builder(scope: Scope) -> auto::Builder<InScope> {
    let mut builder = auto::Builder::new(InScope(scope));
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_READ_MAX)
        .max_buf_size(HEAD_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(HEAD_LIST_BYTES_MAX)
        .max_concurrent_streams(STREAMS_MAX)
        .keep_alive_interval(Some(KEEP_ALIVE))
        .keep_alive_timeout(HEAD_READ_MAX);
    builder
}

/// Where hyper's own tasks of one HTTP/2 connection live.
#[derive(Clone, Debug)]
struct InScope(Scope);

impl<W> Executor<W> for InScope
where
    W: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, work: W) {
        self.0.spawn("http2 request", work);
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;
    use crate::clock::Now;

    fn door(connections_max: usize) -> Door {
        let router = Router::new().route("/", get(async || "hello"));
        Door::new(router, connections_max, Scope::new("test"))
    }

    fn connect(door: &Door) -> DuplexStream {
        let (near, far) = duplex(64 * 1024);
        door.take(far, "192.0.2.7:4711".parse().unwrap());
        near
    }

    async fn all(mut stream: DuplexStream) -> String {
        let mut text = Vec::new();
        // A stream that is cut is as good an end as one that is closed.
        let _ = stream.read_to_end(&mut text).await;
        String::from_utf8_lossy(&text).into_owned()
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_is_answered() {
        let mut stream = connect(&door(1));
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
        let text = all(stream).await;
        assert!(text.starts_with("HTTP/1.1 200 OK") && text.ends_with("hello"), "{text}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_asks_nothing_in_time_is_closed() {
        for first in
            [&b""[..], b"GET / HT", b"PRI * HTTP/2.0\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n"]
        {
            let (door, began) = (door(1), Now::read().mono);
            let mut stream = connect(&door);
            stream.write_all(first).await.unwrap();
            all(stream).await;
            let took = Now::read().mono - began;
            assert!(took >= HEAD_READ_MAX && took < HEAD_READ_MAX * 2, "{first:?}: {took:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_endless_head_is_refused() {
        let mut stream = connect(&door(1));
        let head = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(HEAD_BYTES_MAX));
        stream.write_all(head.as_bytes()).await.unwrap();
        let text = all(stream).await;
        assert!(text.starts_with("HTTP/1.1 431"), "{text}");
    }

    #[tokio::test(start_paused = true)]
    async fn past_the_limit_of_connections_a_new_one_is_closed_at_once() {
        let (door, began) = (door(1), Now::read().mono);
        let _first = connect(&door);
        assert_eq!(all(connect(&door)).await, "");
        assert!((Now::read().mono - began).is_zero());
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_closes_idle_connections() {
        let door = door(1);
        let stream = connect(&door);
        let scope = door.scope.clone();
        drop(door);
        assert_eq!(scope.close(CLOSE_MAX).await, 0);
        assert_eq!(all(stream).await, "");
    }
}
