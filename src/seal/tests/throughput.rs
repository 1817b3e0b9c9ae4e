//! How fast a sealed channel is: `cargo test --release -- --ignored --nocapture throughput`.
