//! Sessions without a runtime: scripts, the whole transition table, and random inputs against a
//! model.

pub(crate) mod desk;
mod model;
mod scripts;
mod table;
