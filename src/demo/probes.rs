//! Two services for measuring a way: a UDP echo, and a TCP source and sink of any length.
//!
//! ```text
//!  send N\n     -> N bytes, then the end         the bytes are the same each time
//!  hash N\n     -> their SHA-256 in hex, \n
//!  take N\n ... -> after N bytes: the SHA-256 of what came, in hex, \n
//! ```

use std::{fmt::Write as _, io};

use aws_lc_rs::digest::{Context, SHA256};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream, UdpSocket},
};
use tracing::debug;

use crate::tasks::Scope;

/// The longest order line, in bytes; a longer one ends the connection.
const ORDER_BYTES_MAX: u64 = 64;
/// The largest UDP payload (RFC 768 over IPv4), in bytes.
const DATAGRAM_BYTES_MAX: usize = 65_507;
const BLOCK_BYTES: usize = 65_536;

/// Sends each datagram back to where it came from, until the socket fails.
pub(super) async fn echo(socket: UdpSocket) -> io::Result<()> {
    let mut datagram = vec![0; DATAGRAM_BYTES_MAX];
    loop {
        let (bytes, from) = socket.recv_from(&mut datagram).await?;
        if let Some(whole) = datagram.get(..bytes) {
            socket.send_to(whole, from).await?;
        }
    }
}

/// Serves the source until `listener` fails.
pub(super) async fn source(listener: TcpListener, scope: Scope) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        scope.spawn("source", async move {
            if let Err(error) = order(stream).await {
                debug!(%error, "a source connection ended");
            }
        });
    }
}

async fn order(stream: TcpStream) -> io::Result<()> {
    let mut stream = BufReader::with_capacity(BLOCK_BYTES, stream);
    let mut line = String::new();
    (&mut stream).take(ORDER_BYTES_MAX).read_line(&mut line).await?;
    let parsed = line.trim().split_once(' ').and_then(|(verb, n)| Some((verb, n.parse().ok()?)));
    match parsed {
        Some(("send", bytes)) => {
            for block in blocks(bytes) {
                stream.write_all(&block).await?;
            }
        }
        Some(("hash", bytes)) => {
            let mut hash = Context::new(&SHA256);
            blocks(bytes).for_each(|block| hash.update(&block));
            stream.write_all(hex(hash).as_bytes()).await?;
        }
        Some(("take", bytes)) => {
            let hash = take(&mut stream, bytes).await?;
            stream.write_all(hex(hash).as_bytes()).await?;
        }
        _ => stream.write_all(b"say: send N, hash N, or take N and N bytes\n").await?,
    }
    stream.shutdown().await
}

async fn take(stream: &mut BufReader<TcpStream>, bytes: u64) -> io::Result<Context> {
    let mut hash = Context::new(&SHA256);
    let mut left = bytes;
    while left > 0 {
        let here = stream.fill_buf().await?;
        if here.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let wanted = here.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        hash.update(here.get(..wanted).unwrap_or_default());
        stream.consume(wanted);
        left = left.saturating_sub(wanted as u64);
    }
    Ok(hash)
}

/// `bytes` bytes in blocks; each block begins with its number, so that a lost or doubled one shows.
fn blocks(bytes: u64) -> impl Iterator<Item = Vec<u8>> {
    let full = BLOCK_BYTES as u64;
    let pattern: Vec<u8> = (0..BLOCK_BYTES)
        .map(|at| {
            let [low, ..] = (at.wrapping_mul(167) >> 3).to_le_bytes();
            low
        })
        .collect();
    (0..bytes.div_ceil(full)).map(move |number| {
        let length = usize::try_from((bytes - number * full).min(full)).unwrap_or(BLOCK_BYTES);
        let mut block = pattern.clone();
        block.splice(..8, number.to_be_bytes());
        block.truncate(length);
        block
    })
}

fn hex(hash: Context) -> String {
    let mut text = String::new();
    for byte in hash.finish().as_ref() {
        let _ = write!(text, "{byte:02x}");
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn ask(address: std::net::SocketAddr, order: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(order).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn what_is_sent_is_what_is_hashed_and_what_is_taken() {
        let scope = Scope::new("test");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = scope.clone();
        scope.spawn("source", async move {
            let _ = source(listener, serving).await;
        });

        let sent = ask(address, b"send 200001\n").await;
        assert_eq!(sent.len(), 200_001);
        let hash = ask(address, b"hash 200001\n").await;
        let taken = ask(address, &[b"take 200001\n".as_slice(), &sent].concat()).await;
        assert_eq!(hash, taken);
        assert_eq!(hash.len(), 65);
        assert_ne!(hash, ask(address, b"hash 200002\n").await);
        assert!(ask(address, b"what\n").await.starts_with(b"say:"));
        scope.close(Duration::ZERO).await;
    }
}
