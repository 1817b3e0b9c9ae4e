//! Wires the gateway together: start, drain, stop.
