//! Domain.md G.1, by its numbers.

mod access;
mod hours;
mod rules;
