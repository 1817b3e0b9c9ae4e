//! The server behind every way: this program again, so that its CPU time is counted apart. And how it
//! is spoken to: the first byte says what is wanted.
//!
//! ```text
//!   p                   one byte comes back, then it waits for the end
//!   e                   everything that follows comes back
//!   d length (8, BE)    so many bytes come
//!   u length (8, BE)    so many bytes follow, then one byte comes back
//! ```

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    thread,
};

use anyhow::{Context, Result};

use crate::{product::within, say, way::Server, yard::Yard};

/// Asks for one byte.
pub(crate) const PING: u8 = b'p';
/// Asks for everything back.
pub(crate) const ECHO: u8 = b'e';
/// Asks for bytes.
pub(crate) const DOWN: u8 = b'd';
/// Announces bytes.
pub(crate) const UP: u8 = b'u';

/// Of one read and one write at both ends.
pub(crate) const BUFFER_BYTES: usize = 256 * 1024;
/// For a thread that holds its buffers elsewhere.
const STACK_BYTES: usize = 128 * 1024;

/// Bytes that do not compress; `DOWN` sends them over and over.
pub(crate) fn pattern() -> Vec<u8> {
    // xorshift64 (Marsaglia, 2003).
    let mut state: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut bytes = Vec::with_capacity(BUFFER_BYTES);
    while bytes.len() < BUFFER_BYTES {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_be_bytes());
    }
    bytes
}

/// Starts the server as a process of its own, on loopback.
pub(crate) fn start(yard: &Yard) -> Result<Server> {
    start_at(yard, Ipv4Addr::LOCALHOST, None)
}

/// The same at another address, in a network namespace where one is named.
pub(crate) fn start_at(yard: &Yard, address: Ipv4Addr, space: Option<&str>) -> Result<Server> {
    let program = std::env::current_exe().context("this program's own file")?;
    let mut server = within(space, program);
    let pid = yard.start("server", server.args(["--serve", &address.to_string()]))?;
    Ok(Server { at: yard.announced("server")?, pid })
}

/// Is the server, until whoever started it closes its standard input.
pub(crate) fn serve(at: Ipv4Addr) -> Result<()> {
    let listener = TcpListener::bind(SocketAddr::from((at, 0)))?;
    say(format_args!("addr={}", listener.local_addr()?));
    thread::Builder::new().name("accept".into()).spawn(move || accept(&listener))?;
    io::copy(&mut io::stdin(), &mut io::sink())?;
    Ok(())
}

fn accept(listener: &TcpListener) {
    for stream in listener.incoming().flatten() {
        let served = thread::Builder::new().stack_size(STACK_BYTES).spawn(move || {
            // A connection that breaks is its other end's business to report.
            let _ = answer(stream);
        });
        if let Err(error) = served {
            say(format_args!("no thread: {error}"));
        }
    }
}

fn answer(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut kind = [0];
    stream.read_exact(&mut kind)?;
    match kind {
        [PING] => {
            stream.write_all(&kind)?;
            // The client closes first, as with most protocols.
            stream.read(&mut kind).map(drop)
        }
        [ECHO] => echo(stream),
        [DOWN] => {
            let length = length(&mut stream)?;
            send(&mut stream, length)
        }
        [UP] => {
            let length = length(&mut stream)?;
            receive(&mut stream, length)?;
            stream.write_all(&kind)
        }
        _ => Ok(()),
    }
}

fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES / 4];
    loop {
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        stream.write_all(buffer.get(..read).unwrap_or_default())?;
    }
}

fn length(stream: &mut TcpStream) -> io::Result<u64> {
    let mut length = [0; 8];
    stream.read_exact(&mut length)?;
    Ok(u64::from_be_bytes(length))
}

/// Writes `length` bytes of the pattern.
pub(crate) fn send(stream: &mut TcpStream, length: u64) -> io::Result<()> {
    let pattern = pattern();
    let mut left = length;
    while left > 0 {
        let now = usize::try_from(left).unwrap_or(usize::MAX).min(pattern.len());
        stream.write_all(pattern.get(..now).unwrap_or_default())?;
        left -= now as u64;
    }
    Ok(())
}

/// Reads exactly `length` bytes.
pub(crate) fn receive(stream: &mut TcpStream, length: u64) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut left = length;
    while left > 0 {
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        left = left.saturating_sub(read as u64);
    }
    Ok(())
}
