//! Tests of the whole product, and of the house it lives in.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "clippy's allowances for tests do not reach the set-up that tests share"
)]

mod architecture;
mod companies;
mod crashes;
mod faults;
mod first_day;
mod hostile;
mod networks;
mod outbound;
mod refusals;
mod tunnels;
mod world;
