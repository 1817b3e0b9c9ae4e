//! End to end: one TLS 1.3 handshake a session, numbered records a channel.
