//! Decisions, held against domain.md: its vectors, its situations, the whole product, and laws.

mod explained;
mod laws;
mod matrix;
mod policies;
mod situations;
mod table;
mod vectors;
mod widened;
mod world;
