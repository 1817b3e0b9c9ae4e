//! A whole small world on one machine, with machines worth connecting to.
