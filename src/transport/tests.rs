//! Connections and legs over real sockets.
