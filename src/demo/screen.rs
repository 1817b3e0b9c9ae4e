//! The demo machine's screen: an RFB server (RFC 6143), raw encoding, no password.
//!
//! ```text
//!  server: RFB 003.008      client: its version, 3.3, 3.7 or 3.8
//!  server: [None]           client: None        server: ok      in 3.3: server: None
//!  client: shared           server: size, pixel format, name
//!  then: client asks for updates; the server answers when the picture has changed
//! ```
//!
//! A click on the button stops or starts the machine.

use std::{io, ops::Range, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};
use tracing::debug;

use super::{
    picture::{BUTTON, HEIGHT, Picture, WIDTH},
    press::Press,
};
use crate::{clock::Now, tasks::Scope};

const VERSION: &[u8; 12] = b"RFB 003.008\n";
/// The screen's name, with its length as the RFB greeting counts it.
const NAME: &[u8; NAME_BYTES as usize] = b"Press 7";
const NAME_BYTES: u32 = 7;
/// Time between two pictures.
const FRAME: Duration = Duration::from_millis(100);
/// Encodings or clipboard bytes of one message at most; a longer one ends the connection.
const MESSAGE_MAX: u32 = 65_536;
const LEFT_BUTTON: u8 = 1;
/// The security type `None` (RFC 6143 section 7.2.1).
const NO_SECURITY: u8 = 1;

/// Serves the screen until `listener` fails.
pub(super) async fn serve(
    listener: TcpListener,
    press: Arc<Press>,
    scope: Scope,
) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let press = press.clone();
        scope.spawn("screen", async move {
            if let Err(error) = show(stream, &press).await {
                debug!(%error, "a viewer left");
            }
        });
    }
}

/// How a viewer wants its pixels (RFC 6143 section 7.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct PixelFormat {
    bytes: usize,
    big_endian: bool,
    max: [u16; 3],
    shift: [u8; 3],
}

/// What is offered at first: 32 bits, red in the third byte.
const OFFERED: PixelFormat =
    PixelFormat { bytes: 4, big_endian: false, max: [255; 3], shift: [16, 8, 0] };

struct Viewer<'a> {
    stream: BufReader<TcpStream>,
    press: &'a Press,
    format: PixelFormat,
    /// What the viewer has; `None` when it asked for everything.
    has: Option<Picture>,
    asked: bool,
    pressed: bool,
}

async fn show(stream: TcpStream, press: &Press) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    greet(&mut stream).await?;
    let mut viewer =
        Viewer { stream, press, format: OFFERED, has: None, asked: false, pressed: false };
    let mut frame = tokio::time::interval(FRAME);
    loop {
        let message = tokio::select! {
            biased;
            // Cancel-safe: reads one byte or none.
            message = viewer.stream.read_u8() => Some(message?),
            // Cancel-safe: by its documentation.
            _ = frame.tick(), if viewer.asked => None,
        };
        match message {
            Some(message) => viewer.take(message).await?,
            None => viewer.update().await?,
        }
    }
}

async fn greet(stream: &mut BufReader<TcpStream>) -> io::Result<()> {
    stream.write_all(VERSION).await?;
    let mut version = [0; 12];
    stream.read_exact(&mut version).await?;
    match &version {
        b"RFB 003.003\n" => stream.write_all(&u32::from(NO_SECURITY).to_be_bytes()).await?,
        b"RFB 003.007\n" | VERSION => {
            stream.write_all(&[1, NO_SECURITY]).await?;
            if stream.read_u8().await? != NO_SECURITY {
                return Err(fault("the viewer chose a security type that was not offered"));
            }
            if &version == VERSION {
                stream.write_all(&[0; 4]).await?;
            }
        }
        _ => return Err(fault("RFB 3.3, 3.7 and 3.8 are spoken here")),
    }
    let _shared = stream.read_u8().await?;
    let mut start = Vec::new();
    start.extend(WIDTH.to_be_bytes());
    start.extend(HEIGHT.to_be_bytes());
    start.extend([32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0]);
    start.extend(NAME_BYTES.to_be_bytes());
    start.extend(NAME);
    stream.write_all(&start).await
}

impl Viewer<'_> {
    async fn take(&mut self, message: u8) -> io::Result<()> {
        match message {
            0 => self.set_format().await,
            2 => {
                self.stream.read_u8().await?;
                let count = self.stream.read_u16().await?;
                self.skip(u32::from(count) * 4).await
            }
            3 => {
                let incremental = self.stream.read_u8().await? != 0;
                self.skip(8).await?;
                if !incremental {
                    self.has = None;
                }
                self.asked = true;
                Ok(())
            }
            4 => self.skip(7).await,
            5 => self.pointer().await,
            6 => {
                self.skip(3).await?;
                let bytes = self.stream.read_u32().await?;
                self.skip(bytes).await
            }
            _ => Err(fault("a message that RFB does not have")),
        }
    }

    async fn skip(&mut self, bytes: u32) -> io::Result<()> {
        if bytes > MESSAGE_MAX * 4 {
            return Err(fault("a message beyond its limit"));
        }
        let mut rest = (&mut self.stream).take(u64::from(bytes));
        let skipped = tokio::io::copy(&mut rest, &mut tokio::io::sink()).await?;
        if skipped == u64::from(bytes) { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    async fn set_format(&mut self) -> io::Result<()> {
        self.skip(3).await?;
        let bits = self.stream.read_u8().await?;
        let _depth = self.stream.read_u8().await?;
        let big_endian = self.stream.read_u8().await? != 0;
        let true_colour = self.stream.read_u8().await? != 0;
        let mut max = [0; 3];
        for one in &mut max {
            *one = self.stream.read_u16().await?;
        }
        let mut shift = [0; 3];
        for one in &mut shift {
            *one = self.stream.read_u8().await?;
        }
        self.skip(3).await?;
        if !true_colour || !matches!(bits, 8 | 16 | 32) || shift.iter().any(|one| *one > 31) {
            return Err(fault("a pixel format that RFB does not have, or a colour map"));
        }
        self.format = PixelFormat { bytes: usize::from(bits) / 8, big_endian, max, shift };
        self.has = None;
        Ok(())
    }

    async fn pointer(&mut self) -> io::Result<()> {
        let buttons = self.stream.read_u8().await?;
        let x = self.stream.read_u16().await?;
        let y = self.stream.read_u16().await?;
        let pressed = buttons & LEFT_BUTTON != 0;
        let (left, top, right, bottom) = BUTTON;
        if pressed && !self.pressed && (left..right).contains(&x) && (top..bottom).contains(&y) {
            let now = Now::read().mono;
            self.press.run(!self.press.read(now).running, now);
        }
        self.pressed = pressed;
        Ok(())
    }

    async fn update(&mut self) -> io::Result<()> {
        let picture = Picture::of(self.press.read(Now::read().mono));
        let rows = match &self.has {
            Some(has) => changed(has, &picture),
            None => 0..HEIGHT,
        };
        if rows.is_empty() {
            return Ok(());
        }
        let mut message = vec![0, 0, 0, 1, 0, 0];
        message.extend(rows.start.to_be_bytes());
        message.extend(WIDTH.to_be_bytes());
        message.extend((rows.end - rows.start).to_be_bytes());
        message.extend([0; 4]);
        for y in rows {
            for pixel in picture.row(y) {
                self.format.put(*pixel, &mut message);
            }
        }
        self.stream.write_all(&message).await?;
        self.has = Some(picture);
        self.asked = false;
        Ok(())
    }
}

/// The rows from the first to the last that differ.
fn changed(old: &Picture, new: &Picture) -> Range<u16> {
    let mut differing = (0..HEIGHT).filter(|y| old.row(*y) != new.row(*y));
    match differing.next() {
        Some(first) => first..differing.next_back().unwrap_or(first) + 1,
        None => 0..0,
    }
}

impl PixelFormat {
    fn put(self, colour: [u8; 3], out: &mut Vec<u8>) {
        let mut value = 0_u32;
        for ((part, max), shift) in colour.into_iter().zip(self.max).zip(self.shift) {
            value |= (u32::from(part) * u32::from(max) / 255) << shift;
        }
        let bytes = value.to_le_bytes();
        let used = bytes.get(..self.bytes).unwrap_or_default();
        if self.big_endian {
            out.extend(used.iter().rev());
        } else {
            out.extend(used);
        }
    }
}

fn fault(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_come_as_the_viewer_asked() {
        let mut out = Vec::new();
        OFFERED.put([1, 2, 3], &mut out);
        assert_eq!(out, [3, 2, 1, 0]);
        let small =
            PixelFormat { bytes: 2, big_endian: true, max: [31, 63, 31], shift: [11, 5, 0] };
        out.clear();
        small.put([255, 0, 255], &mut out);
        assert_eq!(out, [0b1111_1000, 0b0001_1111]);
    }

    #[tokio::test]
    async fn a_viewer_gets_the_whole_picture_and_then_what_changed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let scope = Scope::new("test");
        let press = Arc::new(Press::new(Now::read().mono));
        let serving = scope.clone();
        scope.spawn("screens", async move {
            let _ = serve(listener, press, serving).await;
        });

        let mut viewer = TcpStream::connect(address).await.unwrap();
        viewer.write_all(VERSION).await.unwrap();
        viewer.write_all(&[1, 1]).await.unwrap();
        let mut hello = [0; 12 + 2 + 4 + 24 + 7];
        viewer.read_exact(&mut hello).await.unwrap();
        assert!(hello.ends_with(NAME));
        let ask = |incremental: u8| [3, incremental, 0, 0, 0, 0, 2, 128, 1, 144];
        viewer.write_all(&ask(0)).await.unwrap();
        let whole = rectangle(&mut viewer).await;
        assert_eq!(whole, (0, WIDTH, HEIGHT));
        viewer.write_all(&ask(1)).await.unwrap();
        let (_, width, rows) = rectangle(&mut viewer).await;
        assert!(width == WIDTH && rows < HEIGHT);
        scope.close(Duration::ZERO).await;
    }

    async fn rectangle(viewer: &mut TcpStream) -> (u16, u16, u16) {
        let mut head = [0; 16];
        viewer.read_exact(&mut head).await.unwrap();
        let at = |i: usize| u16::from_be_bytes([head[i], head[i + 1]]);
        let (y, width, rows) = (at(6), at(8), at(10));
        let mut pixels = vec![0; usize::from(width) * usize::from(rows) * 4];
        viewer.read_exact(&mut pixels).await.unwrap();
        (y, width, rows)
    }
}
