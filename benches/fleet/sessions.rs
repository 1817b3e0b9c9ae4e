//! Live sessions: how long one takes to open, and what each costs the gateway.
//!
//! Here this process is the technician, through the very rooms that `caseway open` uses, over one
//! control connection that stands:
//!
//! ```text
//!   t0  Open ---------------> decided, row and record durable
//!       <-------------- Opened
//!   OpenChannel 0 ----------> Offer; both ends join; record durable; the seal's handshake
//!   OpenChannel 1 ----------> Offer; target connected; both ends join
//!       a byte, sealed -----> agent -> echo
//!   t1  <------------------ the byte
//! ```

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use caseway::{
    clock::Now,
    ids::{ChannelNo, PeerId, SessionId},
    relay::{Leg, Meter, Pools},
    seal::{self, Pin, SessionKeys},
    secret::Secret,
    tasks::Scope,
    tls::{Identity, PeerTls},
    token::JoinToken,
    transport::{CarrierChoice, DialOptions, Dialer, LegDialer},
    wire::{
        ControlReader, ControlWriter, GatewayTellsTechnician as Told, Hello, PROTOCOL,
        TechnicianSays as Says,
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};

use crate::{
    memory::Memory,
    report::Report,
    seed,
    world::{Gateway, World},
};

/// Sessions that are opened one after the other, timed.
const TIMED: usize = 200;
/// Sessions that live at once.
const LIVE: usize = 200;
/// Messages that wait at most, each way.
const MESSAGES_MAX: usize = 64;
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) async fn measure(world: &World, report: &mut Report) -> Result<()> {
    Report::section("live sessions over tcp")?;
    let gateway = world.gateway().await?;
    let [edge, _] = seed::REAL_DEVICES;
    let agent = world.agent(&gateway, edge, "tcp").await?;
    agent.says("connected").await?;
    let scope = Scope::new("technician");
    let mut technician = Technician::connect(world, &gateway, &scope).await?;
    let mut times = Vec::with_capacity(TIMED);
    // The first brings what all share.
    technician.open().await?.close(&mut technician).await?;
    for _ in 0..TIMED {
        let began = Now::read().mono;
        let session = technician.open().await?;
        times.push(Now::read().mono - began);
        session.close(&mut technician).await?;
    }
    times.sort_unstable();
    let ms = |share: usize| {
        let at = times.get(times.len() * share / 100).copied().unwrap_or_default();
        at.as_secs_f64() * 1_000.0
    };
    let how = "decision, row and records durable, seal's handshake, first channel's byte back";
    report.add("session_open_p50_ms", ms(50), "ms", how)?;
    report.add("session_open_p99_ms", ms(99), "ms", &format!("the same, of {TIMED}"))?;

    let pid = gateway.process.pid()?;
    let before = Memory::settled(pid).await?;
    let mut live = Vec::with_capacity(LIVE);
    for _ in 0..LIVE {
        live.push(technician.sealed().await?);
    }
    let after = Memory::settled(pid).await?;
    let each = after.growth(before, LIVE);
    let how = format!("growth of the gateway's Pss over {LIVE} active sessions without a channel");
    report.add("session_gateway", each.pss, "B", &how)?;
    report.add("session_gateway_dirty", each.dirty, "B", "the same of Private_Dirty")?;
    scope.close(Duration::ZERO).await;
    agent.kill().await?;
    gateway.process.kill().await
}

/// A technician's standing connection.
struct Technician {
    says: mpsc::Sender<Says>,
    told: mpsc::Receiver<Told>,
    legs: LegDialer,
    identity: Identity,
    pools: Pools,
    requests: u32,
    scope: Scope,
}

/// A session that stands, its channel 1 in use.
struct Session {
    id: SessionId,
    _local: TcpStream,
}

impl Technician {
    async fn connect(world: &World, gateway: &Gateway, scope: &Scope) -> Result<Self> {
        let identity = world.technician.clone();
        let tls = PeerTls::new(&world.trust, Some(&identity))?;
        let options = DialOptions {
            host: gateway.address.ip().to_string(),
            port: gateway.address.port(),
            carrier: CarrierChoice::Tcp,
            proxy: None,
            bind: None,
        };
        let dialled = Dialer::new(options, tls).connect().await?;
        let (mut reader, mut writer) = (dialled.reader, dialled.writer);
        let hello = Hello {
            protocol: PROTOCOL,
            build: concat!("caseway ", env!("CARGO_PKG_VERSION")).to_owned(),
            nonce: URL_SAFE_NO_PAD.encode(Secret::<16>::fresh()?.expose()),
            wall: Now::read().wall,
        };
        writer.send(&Says::Hello(hello)).await?;
        let greeting = reader.next().await?;
        ensure!(matches!(greeting, Some(Told::Welcome(_))), "no welcome: {greeting:?}");
        let (says, said) = mpsc::channel(MESSAGES_MAX);
        let (tell, told) = mpsc::channel(MESSAGES_MAX);
        scope.spawn("say", say(writer, said));
        scope.spawn("hear", hear(reader, tell, says.clone()));
        let (legs, scope) = (dialled.legs, scope.clone());
        Ok(Self { says, told, legs, identity, pools: Pools::new(), requests: 0, scope })
    }

    async fn say(&self, says: Says) -> Result<()> {
        self.says.send(says).await.context("the connection is over")
    }

    async fn told(&mut self) -> Result<Told> {
        let told = timeout(PATIENCE, self.told.recv()).await.context("the gateway is silent")?;
        told.context("the connection is over")
    }

    /// A session whose first channel has carried a byte each way.
    async fn open(&mut self) -> Result<Session> {
        let (session, keys) = self.sealed().await?;
        let target = Some(seed::TUNNEL.parse()?);
        let number = ChannelNo(1);
        let leg = self.channel(&session, number, target).await?;
        let keys = keys.channel(number)?;
        let (mut local, inner) = pair().await?;
        let (pools, meter) = (self.pools.clone(), Arc::new(Meter::new(Now::read())));
        self.scope.spawn("pump", async move {
            // However it ends: a byte that does not come back is noticed below.
            let _ = seal::pump_tcp(inner, leg, keys, meter, &pools).await;
        });
        local.write_all(&[7]).await?;
        timeout(PATIENCE, local.read_exact(&mut [0])).await.context("no byte comes back")??;
        Ok(Session { id: session, _local: local })
    }

    /// A session with its keys and no channel.
    async fn sealed(&mut self) -> Result<(SessionId, SessionKeys)> {
        self.requests += 1;
        let open = Says::Open {
            request: self.requests,
            case: Some(seed::CASE.parse()?),
            asset: None,
            tunnel: seed::TUNNEL.parse()?,
            reason: None,
        };
        self.say(open).await?;
        let told = self.told().await?;
        let Told::Opened(opened) = told else { bail!("not opened: {told:?}") };
        let leg = self.channel(&opened.session, ChannelNo::HANDSHAKE, None).await?;
        let pin = Pin { peer: PeerId::Device(opened.device), key: opened.device_key };
        let keys = seal::connect(leg, &self.identity, &pin, &opened.session).await?;
        Ok((opened.session, keys))
    }

    async fn channel(
        &mut self,
        session: &SessionId,
        channel: ChannelNo,
        target: Option<caseway::ids::Name>,
    ) -> Result<Leg> {
        let session = session.clone();
        self.say(Says::OpenChannel { session, channel, target, destination: None }).await?;
        let told = self.told().await?;
        let Told::Channel { token, .. } = told else { bail!("no channel: {told:?}") };
        let token = URL_SAFE_NO_PAD.decode(token)?;
        let token: [u8; JoinToken::BYTES] = token.as_slice().try_into()?;
        Ok(self.legs.open(&JoinToken::new(token)).await?)
    }
}

impl Session {
    async fn close(self, technician: &mut Technician) -> Result<()> {
        technician.say(Says::Close { session: self.id.clone() }).await?;
        let told = technician.told().await?;
        let ended = matches!(&told, Told::Ended { session, .. } if *session == self.id);
        ensure!(ended, "not ended: {told:?}");
        Ok(())
    }
}

async fn say(mut writer: ControlWriter, mut said: mpsc::Receiver<Says>) {
    while let Some(message) = said.recv().await {
        // A connection that is over is noticed by whoever waits for the answer.
        let _ = writer.send(&message).await;
    }
}

/// Answers pings, so that the connection stands while nothing else is said; hands the rest on.
async fn hear(mut reader: ControlReader, tell: mpsc::Sender<Told>, says: mpsc::Sender<Says>) {
    while let Ok(Some(told)) = reader.next().await {
        let handed_on = if let Told::Ping { n } = told {
            says.send(Says::Pong { n }).await.is_ok()
        } else {
            tell.send(told).await.is_ok()
        };
        if !handed_on {
            return;
        }
    }
}

/// Both ends of a connection within this process: what a local port is to `caseway open`.
async fn pair() -> Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let (near, far) = tokio::join!(TcpStream::connect(listener.local_addr()?), listener.accept());
    Ok((near?, far?.0))
}
