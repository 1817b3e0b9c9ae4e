//! One decision, its policies and the rows that it reads.
//!
//! A decision reads the rows of one request, a dozen, however large the store is; what can grow is
//! the number of roles that one person was given. 10,000 of them is far beyond any person.

use std::hint::black_box;

use anyhow::Result;
use caseway::{
    authz::{Decision, Facts, decide},
    tenancy::{Role, Scope},
};
use criterion::{Criterion, Throughput};

use crate::facts;

const MANY: usize = 10_000;

pub(crate) fn measure(criterion: &mut Criterion) -> Result<()> {
    let few = facts::facts()?;
    let mut off = few.clone();
    off.tunnel = off.tunnel.map(|tunnel| caseway::machines::Tunnel { enabled: false, ..tunnel });
    let mut many = few.clone();
    for number in 1..MANY {
        let (id, scope) = (format!("as-{number}"), Scope::Customers(["c-0".parse()?].into()));
        many.assignments.push(facts::assignment(&id, Role::ServiceTechnician, scope)?);
    }
    let request = facts::request()?;
    let mut group = criterion.benchmark_group("authz");
    group.throughput(Throughput::Elements(1));
    let mut one = |name: &str, facts: &Facts, allowed: bool| {
        let right = matches!(decide(request.clone(), facts), Decision::Allow(_)) == allowed;
        anyhow::ensure!(right, "{name} is decided wrongly");
        group.bench_function(format!("decide/{name}"), |b| {
            b.iter_with_large_drop(|| decide(request.clone(), black_box(facts)));
        });
        Ok(())
    };
    one("allow", &few, true)?;
    one("deny", &off, false)?;
    one("10000_assignments", &many, true)?;
    group.finish();
    Ok(())
}
