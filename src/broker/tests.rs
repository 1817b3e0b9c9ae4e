//! The broker with a real store in a real file, real sockets as legs, and agents and technicians
//! played through the handle.

mod journeys;
mod withdrawals;
mod world;
