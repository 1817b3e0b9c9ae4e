//! Devices that are connected now; the newest authenticated connection wins.
