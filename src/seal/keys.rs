//! From one handshake to the keys of every channel.
//!
//! ```text
//!   session secret (TLS exporter)
//!     | expand(algorithm, channel, direction)
//!     v
//!   traffic secret 0 --next--> traffic secret 1 --next--> ...      each HKDF-Expand, SHA-256
//!     | key                      | key
//!     v                          v
//!   records 0 ..< 2^20         records 2^20 ..< 2^21
//! ```

use std::{
    fmt,
    sync::{Mutex, PoisonError},
};

use aws_lc_rs::{
    aead::{self, LessSafeKey, UnboundKey},
    hkdf::{HKDF_SHA256, Prk},
};

use crate::{ids::ChannelNo, relay::Direction, secret::Secret};

/// How far behind the highest channel number another may still be asked for.
pub const CHANNEL_WINDOW: u32 = 1_024;

const WINDOW_WORDS: usize = 1_024 / 64;

/// What a record is sealed with. Both ends agree on one in the handshake, and it is part of every
/// key, so that no third one can make them disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Algorithm {
    /// Where the CPU has instructions for it.
    Aes256Gcm = 1,
    /// Everywhere else.
    ChaCha20Poly1305 = 2,
}

impl Algorithm {
    /// The faster one on this CPU.
    pub(super) fn preferred() -> Self {
        if has_aes() { Self::Aes256Gcm } else { Self::ChaCha20Poly1305 }
    }

    pub(super) fn from_code(code: u8) -> Option<Self> {
        [Self::Aes256Gcm, Self::ChaCha20Poly1305].into_iter().find(|known| *known as u8 == code)
    }

    fn aead(self) -> &'static aead::Algorithm {
        match self {
            Self::Aes256Gcm => &aead::AES_256_GCM,
            Self::ChaCha20Poly1305 => &aead::CHACHA20_POLY1305,
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn has_aes() -> bool {
    std::arch::is_x86_feature_detected!("aes") && std::arch::is_x86_feature_detected!("pclmulqdq")
}

#[cfg(target_arch = "aarch64")]
fn has_aes() -> bool {
    std::arch::is_aarch64_feature_detected!("aes")
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn has_aes() -> bool {
    false
}

/// Which end of a session holds the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Technician,
    Device,
}

impl End {
    /// Which way what this end sends goes.
    pub(super) fn sends(self) -> Direction {
        match self {
            Self::Technician => Direction::Up,
            Self::Device => Direction::Down,
        }
    }

    /// Which way what this end receives goes.
    pub(super) fn receives(self) -> Direction {
        match self {
            Self::Technician => Direction::Down,
            Self::Device => Direction::Up,
        }
    }
}

/// What both ends of a session share and nobody else knows. Wiped on drop, never printed.
pub struct SessionKeys {
    secret: Secret<32>,
    algorithm: Algorithm,
    end: End,
    given: Mutex<Given>,
}

/// Which channel numbers were given out: the highest, and a bit for each of the 1,024 up to it.
#[derive(Default)]
struct Given {
    highest: u32,
    bits: [u64; WINDOW_WORDS],
}

/// This channel's keys were given out before, or it is too far behind the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("channel {0} was used before")]
pub struct ChannelSpent(pub ChannelNo);

impl SessionKeys {
    pub(super) fn new(secret: Secret<32>, algorithm: Algorithm, end: End) -> Self {
        Self { secret, algorithm, end, given: Mutex::default() }
    }

    /// What both ends agreed to seal records with.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The keys of channel `no`, once.
    ///
    /// # Errors
    ///
    /// [`ChannelSpent`] for a number that was asked for before, for channel 0, and for one that is
    /// [`CHANNEL_WINDOW`] or more behind the highest: a number used twice would use its nonces
    /// twice, and it is the gateway that says the numbers to the device.
    pub fn channel(&self, no: ChannelNo) -> Result<ChannelKeys, ChannelSpent> {
        let fresh = self.given.lock().unwrap_or_else(PoisonError::into_inner).take(no.0);
        if !fresh {
            return Err(ChannelSpent(no));
        }
        let traffic = |direction| Traffic::first(&self.secret, self.algorithm, no, direction);
        Ok(ChannelKeys {
            end: self.end,
            send: traffic(self.end.sends()),
            receive: traffic(self.end.receives()),
        })
    }
}

impl Given {
    /// Whether `no` was never taken before; it is now.
    fn take(&mut self, no: u32) -> bool {
        if no == 0 {
            return false;
        }
        if no > self.highest {
            let skipped = (no - self.highest).min(CHANNEL_WINDOW);
            for passed in no - skipped + 1..=no {
                self.set(passed, false);
            }
            self.highest = no;
        } else if self.highest - no >= CHANNEL_WINDOW || self.is_set(no) {
            return false;
        }
        self.set(no, true);
        true
    }

    fn place(no: u32) -> (usize, u64) {
        let bit = no % CHANNEL_WINDOW;
        ((bit / 64) as usize, 1 << (bit % 64))
    }

    fn is_set(&self, no: u32) -> bool {
        let (word, bit) = Self::place(no);
        self.bits.get(word).is_some_and(|word| word & bit != 0)
    }

    fn set(&mut self, no: u32, to: bool) {
        let (word, bit) = Self::place(no);
        if let Some(word) = self.bits.get_mut(word) {
            *word = if to { *word | bit } else { *word & !bit };
        }
    }
}

impl fmt::Debug for SessionKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionKeys({:?}, {:?}, [redacted])", self.end, self.algorithm)
    }
}

/// The two keys of one channel. Wiped on drop, never printed.
pub struct ChannelKeys {
    pub(super) end: End,
    pub(super) send: Traffic,
    pub(super) receive: Traffic,
}

impl fmt::Debug for ChannelKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChannelKeys({:?}, [redacted])", self.end)
    }
}

/// The key of one direction of one channel, and the secret that the next key comes from.
pub(super) struct Traffic {
    secret: Secret<32>,
    algorithm: Algorithm,
    pub(super) key: LessSafeKey,
}

impl Traffic {
    fn first(
        session: &Secret<32>,
        algorithm: Algorithm,
        channel: ChannelNo,
        direction: Direction,
    ) -> Self {
        let way = match direction {
            Direction::Up => 1,
            Direction::Down => 2,
        };
        let info: [&[u8]; 3] =
            [b"caseway seal 1 channel", &channel.0.to_be_bytes(), &[algorithm as u8, way]];
        Self::of(expand(session, &info), algorithm)
    }

    pub(super) fn of(secret: Secret<32>, algorithm: Algorithm) -> Self {
        let key = aead_key(&secret, algorithm);
        Self { secret, algorithm, key }
    }

    /// Moves on to the next key; the one before cannot be computed from it.
    pub(super) fn step(&mut self) {
        *self = Self::of(expand(&self.secret, &[b"caseway seal 1 next"]), self.algorithm);
    }
}

#[expect(clippy::expect_used, reason = "HKDF gives up to 8,160 bytes; 32 are asked for")]
fn expand(secret: &Secret<32>, info: &[&[u8]]) -> Secret<32> {
    let mut out = [0; 32];
    Prk::new_less_safe(HKDF_SHA256, secret.expose())
        .expand(info, HKDF_SHA256)
        .and_then(|okm| okm.fill(&mut out))
        .expect("invariant: 32 bytes are within HKDF's limit");
    Secret::new(out)
}

#[expect(clippy::expect_used, reason = "both algorithms take keys of exactly 32 bytes")]
fn aead_key(secret: &Secret<32>, algorithm: Algorithm) -> LessSafeKey {
    let key = expand(secret, &[b"caseway seal 1 key"]);
    let key = UnboundKey::new(algorithm.aead(), key.expose())
        .expect("invariant: a key is 32 bytes in both algorithms");
    LessSafeKey::new(key)
}

#[cfg(test)]
impl SessionKeys {
    /// The same keys with no channel given out yet.
    pub(super) fn same_again(other: &Self) -> Self {
        Self::new(other.secret.clone(), other.algorithm, other.end)
    }
}
