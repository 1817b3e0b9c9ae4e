//! HTTP CONNECT (RFC 9110 section 9.3.6), from the asking side.

use std::fmt::Write as _;

use base64::{Engine, engine::general_purpose::STANDARD};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::dial::{DialError, HttpProxy};

/// The longest answer head that is read, in bytes; a longer one is no proxy's.
const HEAD_BYTES_MAX: usize = 8_192;
/// The longest reason that is repeated to people, in characters.
const REASON_CHARS_MAX: usize = 80;

/// Asks the proxy at the other end of `tcp` for a connection to `target`, a `host:port`.
///
/// Reads no byte beyond the answer's head: what follows is the target's. The caller holds the
/// deadline.
pub(super) async fn connect(
    tcp: &mut TcpStream,
    proxy: &HttpProxy,
    target: &str,
) -> Result<(), DialError> {
    let lost = |source| DialError::ProxyConnect { proxy: proxy.to_string(), source };
    tcp.write_all(request(proxy, target).as_bytes()).await.map_err(lost)?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= HEAD_BYTES_MAX {
            return Err(DialError::ProxyMalformed { proxy: proxy.to_string() });
        }
        // A byte at a time, once a connection: nothing behind the head may be taken.
        head.push(tcp.read_u8().await.map_err(lost)?);
    }
    match status(&head) {
        Some((200..=299, _)) => Ok(()),
        Some((status, reason)) => {
            Err(DialError::ProxyRefused { proxy: proxy.to_string(), status, reason })
        }
        None => Err(DialError::ProxyMalformed { proxy: proxy.to_string() }),
    }
}

fn request(proxy: &HttpProxy, target: &str) -> String {
    let mut text = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n");
    if let Some((user, password)) = &proxy.basic {
        let pair = STANDARD.encode(format!("{user}:{}", password.expose()));
        // Writing to a String does not fail.
        let _ = write!(text, "Proxy-Authorization: Basic {pair}\r\n");
    }
    text.push_str("\r\n");
    text
}

/// Status code and reason of an HTTP/1 answer head; `None` if it is none.
fn status(head: &[u8]) -> Option<(u16, String)> {
    let line = std::str::from_utf8(head.split(|&byte| byte == b'\r').next()?).ok()?;
    let mut parts = line.splitn(3, ' ');
    let (version, code) = (parts.next()?, parts.next()?);
    if !matches!(version, "HTTP/1.1" | "HTTP/1.0") || code.len() != 3 {
        return None;
    }
    let status = code.bytes().all(|b| b.is_ascii_digit()).then(|| code.parse().ok())??;
    let reason = parts.next().unwrap_or_default().chars().filter(|c| !c.is_control());
    Some((status, reason.take(REASON_CHARS_MAX).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::SecretText;

    #[test]
    fn a_status_line_is_read_strictly() {
        assert_eq!(status(b"HTTP/1.1 200 OK\r\n\r\n"), Some((200, "OK".into())));
        assert_eq!(status(b"HTTP/1.0 407\r\n\r\n"), Some((407, String::new())));
        for bad in ["HTTP/2 200 OK", "HTTP/1.1 20 OK", "HTTP/1.1 +20 x", "SSH-2.0-x", "", "\u{1}"] {
            assert_eq!(status(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn a_password_goes_out_as_basic_and_never_prints() {
        let proxy = HttpProxy {
            host: "proxy".into(),
            port: 3128,
            basic: Some(("ann".into(), SecretText::new("s3cret".into()))),
        };
        assert!(request(&proxy, "gw:443").contains("Basic YW5uOnMzY3JldA=="));
        assert!(!format!("{proxy:?} {proxy}").contains("s3cret"));
    }
}
