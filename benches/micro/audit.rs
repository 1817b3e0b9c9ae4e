//! The chain of records: one more link, and the walk along all of them.

use std::hint::black_box;

use anyhow::Result;
use caseway::{
    audit::{Actor, Entry, Event, Head, Row, Verifier},
    clock::Wall,
};
use criterion::{Criterion, Throughput};

const RECORDS: usize = 1_000;

pub(crate) fn measure(criterion: &mut Criterion) -> Result<()> {
    let entry = entry()?;
    let mut head = Head::START;
    let mut rows = Vec::with_capacity(RECORDS);
    for _ in 0..RECORDS {
        rows.push(append(&entry, &mut head));
    }
    let mut group = criterion.benchmark_group("audit");
    group.throughput(Throughput::Elements(1));
    let mut last = head;
    group.bench_function("append", |b| b.iter(|| append(black_box(&entry), &mut last)));
    group.throughput(Throughput::Elements(u64::try_from(RECORDS)?));
    let walk = || {
        let mut verifier = Verifier::new(head);
        rows.iter().for_each(|row| verifier.take(row));
        verifier.finish()
    };
    walk()?;
    group.bench_function("verify", |b| b.iter(walk));
    group.finish();
    Ok(())
}

/// As the store appends: the row is chained, and its hash becomes the head.
fn append(entry: &Entry, head: &mut Head) -> Row {
    let row = Row::chain(entry, head.seq + 1, head.hash);
    *head = Head { seq: row.seq, hash: row.digest() };
    row
}

fn entry() -> Result<Entry> {
    let mut entry =
        Entry::new(Wall(1_777_622_400_000), Actor::Person("ana".parse()?), Event::SessionStarted);
    entry.actor_name = "Ana".to_owned();
    entry.tenant = Some("builder".parse()?);
    entry.object = Some("tunnel/t-1".to_owned());
    entry.case = Some("CASE-1".parse()?);
    entry.asset = Some("press-7".parse()?);
    entry.source_ip = Some("192.0.2.7".parse()?);
    entry.session = Some("s-1".parse()?);
    Ok(entry)
}
