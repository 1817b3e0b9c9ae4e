//! Frames and messages: round trips, golden files, hostile bytes.
