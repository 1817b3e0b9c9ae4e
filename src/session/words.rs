//! What goes in and what comes out.

use std::time::Duration;

use serde::Serialize;

use crate::ids::{ChannelNo, SessionId};

/// One technician's connection among all that this process has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EarNo(pub u64);

/// The two ends of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    Technician,
    Device,
}

/// A leg's place in a channel, given for a token; taken with the leg itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seat {
    pub session: SessionId,
    pub channel: ChannelNo,
    pub side: Side,
}

/// Where a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Granted; its channel 0 is not joined by both ends.
    Granted,
    /// Both ends are here; the `Started` record is on its way to disk.
    Starting,
    /// Bytes may flow.
    Active,
    /// Told to stop; the last byte counts are still to come.
    Ending,
}

/// Deadlines and limits.
#[derive(Clone, Debug)]
pub struct Options {
    /// From the grant to `Active`; then it ends `never_started`.
    pub start_within: Duration,
    /// From the grant on; then it ends `max_duration`.
    pub last_at_most: Duration,
    /// Without a byte; then it ends `idle_timeout`.
    pub idle_at_most: Duration,
    /// From an offer until both legs are here; then the channel is refused.
    pub offer_within: Duration,
    /// From the cut until the splices must have returned; then they are given up.
    pub end_within: Duration,
    /// Channels of one session at once, channel 0 included; more are refused.
    pub channels_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            start_within: Duration::from_secs(60),
            last_at_most: Duration::from_secs(8 * 3_600),
            idle_at_most: Duration::from_secs(15 * 60),
            offer_within: Duration::from_secs(10),
            end_within: Duration::from_secs(5),
            channels_max: 64,
        }
    }
}
