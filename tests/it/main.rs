//! Tests of the whole product, and of the house it lives in.

mod architecture;
mod crashes;
mod hostile;
mod networks;
mod refusals;
mod tunnels;
mod world;
