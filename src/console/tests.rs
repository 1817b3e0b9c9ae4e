//! The console over a real store and broker, asked through its router.

mod cases;
mod endpoints;
mod journeys;
mod outbound;
mod world;
