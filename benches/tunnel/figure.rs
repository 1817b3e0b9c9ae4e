//! What is measured of a way: one number a round.

use crate::way::Part;

/// A bulk transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Bulk {
    Down,
    Up,
    Down4,
    Up4,
}

impl Bulk {
    pub(crate) const ALL: [Self; 4] = [Self::Down, Self::Up, Self::Down4, Self::Up4];

    pub(crate) fn streams(self) -> usize {
        match self {
            Self::Down | Self::Up => 1,
            Self::Down4 | Self::Up4 => 4,
        }
    }

    /// From the machine to the technician.
    pub(crate) fn is_down(self) -> bool {
        matches!(self, Self::Down | Self::Down4)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Up => "up",
            Self::Down4 => "down, 4 streams",
            Self::Up4 => "up, 4 streams",
        }
    }
}

/// The bytes of a round trip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Size {
    One,
    SixtyFour,
}

impl Size {
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::One => 1,
            Self::SixtyFour => 64,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    P50,
    P99,
}

impl Rank {
    pub(crate) const BOTH: [Self; 2] = [Self::P50, Self::P99];

    pub(crate) fn percent(self) -> usize {
        match self {
            Self::P50 => 50,
            Self::P99 => 99,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Figure {
    /// Gbit/s of payload.
    Rate(Bulk),
    /// CPU seconds per GiB of payload.
    Cpu(Bulk, Part),
    /// Milliseconds from connecting to the first byte back.
    Open(Rank),
    /// Microseconds.
    Trip(Size, Rank),
    /// Microseconds, of 64 bytes, beside a bulk transfer of the same session.
    Beside(Rank),
    /// Channels opened and closed in a second.
    Churn,
    /// CPU milliseconds for each of those.
    ChurnCpu(Part),
    /// How many others failed meanwhile.
    Failed,
    /// Milliseconds from asking for a session to the first byte back through it.
    Session(Rank),
    /// KiB that a process grew by for each idle channel.
    Idle(Part),
}
