//! `agent.toml` and `ceiling.toml`.
