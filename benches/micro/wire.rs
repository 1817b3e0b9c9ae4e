//! The frame codec: messages into a buffer and out of it.

use std::{hint::black_box, time::Duration};

use anyhow::{Context, Result, ensure};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::BytesMut;
use caseway::{
    ids::ChannelNo,
    machines::{Destination, Mode, Proto},
    secret::Secret,
    token::JoinToken,
    warrant::{Warrant, WarrantKey},
    wire::{
        AgentSays, FIRST_PAYLOAD_BYTES_MAX, Frame, GatewayTellsAgent, PAYLOAD_BYTES_MAX, parse,
        put, put_message, take,
    },
};
use criterion::{Criterion, Throughput};
use serde::{Serialize, de::DeserializeOwned};

use crate::facts;

const BUFFER_BYTES: usize = 4_096;

pub(crate) fn measure(criterion: &mut Criterion) -> Result<()> {
    message::<AgentSays>(criterion, "ping", &AgentSays::Ping { n: 1_234 })?;
    message::<GatewayTellsAgent>(criterion, "offer", &offer()?)?;
    join(criterion)
}

/// A message framed, and the same read again.
fn message<M>(criterion: &mut Criterion, name: &str, message: &M) -> Result<()>
where
    M: Serialize + DeserializeOwned + PartialEq,
{
    let mut buffer = BytesMut::with_capacity(BUFFER_BYTES);
    put_message(&mut buffer, message)?;
    let framed = buffer.clone().freeze();
    let mut group = criterion.benchmark_group("wire");
    group.throughput(Throughput::Bytes(u64::try_from(framed.len())?));
    group.bench_function(format!("put/{name}"), |b| {
        b.iter(|| {
            buffer.clear();
            put_message(&mut buffer, black_box(message))
        });
    });
    let mut taken = None;
    group.bench_function(format!("take/{name}"), |b| {
        b.iter(|| {
            buffer.clear();
            buffer.extend_from_slice(black_box(&framed));
            taken = take(&mut buffer, PAYLOAD_BYTES_MAX).ok().flatten().and_then(read::<M>);
        });
    });
    ensure!(taken.context("nothing was taken")? == *message, "another {name} was taken");
    group.finish();
    Ok(())
}

fn read<M: DeserializeOwned>(frame: Frame) -> Option<M> {
    match frame {
        Frame::Control(payload) => parse(&payload).ok(),
        Frame::Join(_) | Frame::Joined | Frame::JoinRefused(_) => None,
    }
}

fn join(criterion: &mut Criterion) -> Result<()> {
    let frame = Frame::Join(JoinToken::fresh()?);
    let mut buffer = BytesMut::with_capacity(BUFFER_BYTES);
    put(&mut buffer, &frame)?;
    let framed = buffer.clone().freeze();
    let mut group = criterion.benchmark_group("wire");
    group.throughput(Throughput::Bytes(u64::try_from(framed.len())?));
    group.bench_function("put/join", |b| {
        b.iter(|| {
            buffer.clear();
            put(&mut buffer, black_box(&frame))
        });
    });
    group.bench_function("take/join", |b| {
        b.iter(|| {
            buffer.clear();
            buffer.extend_from_slice(black_box(&framed));
            take(&mut buffer, FIRST_PAYLOAD_BYTES_MAX)
        });
    });
    group.finish();
    Ok(())
}

/// An offer as a device gets it, its warrant signed.
fn offer() -> Result<GatewayTellsAgent> {
    let facts = facts::facts()?;
    let targets = facts.tunnel.context("no tunnel")?.targets;
    let warrant = Warrant {
        session: "s-1".parse()?,
        device: "box-7".parse()?,
        nonce: URL_SAFE_NO_PAD.encode([1; 16]),
        person: "ana".parse()?,
        person_name: "Ana".to_owned(),
        tenant_name: "BUILDER".to_owned(),
        case: Some("CASE-1".parse()?),
        asset: "press-7".parse()?,
        tunnel: "plc".parse()?,
        mode: Mode::Sealed,
        targets,
        technician_key: facts::TECHNICIAN_KEY,
        issued: facts::MORNING,
        until: facts::MORNING.plus(Duration::from_secs(3_600)),
    };
    Ok(GatewayTellsAgent::Offer {
        session: warrant.session.clone(),
        channel: ChannelNo(1),
        warrant: WarrantKey::from_seed(&Secret::fresh()?)?.sign(&warrant)?,
        target: Some("plc".parse()?),
        destination: Some(Destination {
            proto: Proto::Tcp,
            host: "10.0.0.5".to_owned(),
            port: 502,
        }),
        token: URL_SAFE_NO_PAD.encode(JoinToken::fresh()?.expose()),
    })
}
