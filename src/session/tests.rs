//! Sessions without a runtime: scripts, the whole transition table, and random inputs against a
//! model.

mod desk;
mod model;
mod scripts;
mod table;
