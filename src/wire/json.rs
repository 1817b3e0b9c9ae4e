//! JSON from a peer: measured first, read after.

use serde::de::DeserializeOwned;

use super::{JSON_DEPTH_MAX, STRING_BYTES_MAX};

/// A control message that is not taken.
#[derive(Debug, thiserror::Error)]
pub enum InvalidMessage {
    #[error("a message nests deeper than {JSON_DEPTH_MAX}")]
    Depth,
    #[error("a message has a string above {STRING_BYTES_MAX} bytes")]
    String,
    #[error("a message is not of a kind that is known here")]
    Unknown(#[source] serde_json::Error),
}

/// Members whose text certifies something, and is bounded by the frame alone.
const LONG_MEMBERS: [&[u8]; 4] = [b"text", b"csr", b"certificate", b"ca"];

/// Reads one message out of a Control frame.
///
/// # Errors
///
/// [`InvalidMessage`]; the connection that sent it ends.
pub fn parse<M: DeserializeOwned>(payload: &[u8]) -> Result<M, InvalidMessage> {
    measure(payload)?;
    serde_json::from_slice(payload).map_err(InvalidMessage::Unknown)
}

/// One pass over the bytes, holding nothing: depth of brackets and length of strings. What is not
/// JSON at all is left to the reader behind.
fn measure(payload: &[u8]) -> Result<(), InvalidMessage> {
    let mut depth = 0_usize;
    let mut member: &[u8] = b"";
    let mut rest = payload;
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        match byte {
            b'{' | b'[' => {
                depth = depth.saturating_add(1);
                if depth > JSON_DEPTH_MAX {
                    return Err(InvalidMessage::Depth);
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b',' => member = b"",
            b'"' => {
                let (string, behind) = split_string(rest);
                rest = behind;
                if string.len() > STRING_BYTES_MAX && !LONG_MEMBERS.contains(&member) {
                    return Err(InvalidMessage::String);
                }
                member = string;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Splits behind the quote that ends a string; an unended one reaches to the end.
fn split_string(bytes: &[u8]) -> (&[u8], &[u8]) {
    let mut escaped = false;
    let end = bytes.iter().position(|&byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    let string = end.and_then(|end| bytes.get(..end)).unwrap_or(bytes);
    let behind = end.and_then(|end| bytes.get(end.saturating_add(1)..)).unwrap_or_default();
    (string, behind)
}
