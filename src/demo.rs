//! A whole small world on one machine, with machines worth connecting to.

mod floor;
mod hmi;
mod picture;
mod plc;
mod press;
mod probes;
mod screen;
