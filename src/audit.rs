//! Records: what happened, typed, chained by hash, so that a changed, missing or reordered one shows.

mod cause;

pub use cause::{EndCause, OfferFault};
