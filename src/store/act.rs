//! One write: judged, written, numbered, recorded, committed, published.

use std::net::IpAddr;

use crate::{
    cases::Switch,
    clock::Now,
    ids::{PersonId, Revision},
};

/// On whose behalf a write is asked for, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct By {
    pub person: PersonId,
    pub source_ip: Option<IpAddr>,
}

/// A write that is on disk.
#[derive(Clone, Debug)]
pub struct Written<T> {
    pub value: T,
    pub revision: Revision,
    pub committed_at: Now,
}

/// A switch that was turned.
#[derive(Clone, Debug)]
pub struct Switched {
    pub revision: Revision,
    pub committed_at: Now,
    pub switch: Switch,
}
