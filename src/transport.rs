//! Authenticated connections and legs: QUIC and TLS over TCP behind one face.
