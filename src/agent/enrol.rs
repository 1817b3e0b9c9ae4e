//! The first contact: a one-time token becomes the device's papers.

use std::path::{Path, PathBuf};

use super::{
    options::Options,
    papers::{self, Papers, PapersError, Parts},
};
use crate::{
    clock::{Now, Wall},
    ids::{DeviceId, GatewayId},
    secret::SecretText,
    tls::{IdentityError, NewKey, PeerTls, Trust, TrustError},
    transport::{self, Dialer, GatewayUrl},
    wire::{EnrolReply, EnrolRequest, Enrolled as Reply, PROTOCOL},
};

/// How far this clock may be from the gateway's before it is mentioned, in milliseconds: far below
/// the 30 s at which a warrant counts as issued in the future, far above what a greeting takes.
const CLOCK_OFF_MS_MAX: i64 = 10_000;

/// What to enrol with.
#[derive(Clone, Debug)]
pub struct Enrolment {
    /// Directory, carrier and proxy; the rest is not looked at.
    pub options: Options,
    pub gateway: GatewayUrl,
    pub token: SecretText,
    /// The gateway's CA, as PEM.
    pub ca: Trust,
    /// Whether papers that are there already may be replaced.
    pub replace: bool,
}

/// An enrolled device.
#[derive(Clone, Debug)]
pub struct Enrolled {
    pub device: DeviceId,
    pub gateway: GatewayId,
    pub url: GatewayUrl,
    pub dir: PathBuf,
    pub certificate_until: Wall,
    /// How far this clock is ahead of the gateway's, where that is worth mentioning, in
    /// milliseconds.
    pub clock_ahead_ms: Option<i64>,
}

impl Enrolled {
    /// For people.
    #[must_use]
    pub fn line(&self) -> String {
        let Self { device, url, dir, certificate_until: until, .. } = self;
        let dir = dir.display();
        let mut line =
            format!("enrolled as {device} at {url}; papers in {dir}, certificate until {until}");
        if let Some(ahead) = self.clock_ahead_ms {
            let (seconds, way) =
                (ahead.abs() / 1_000, if ahead > 0 { "ahead of" } else { "behind" });
            line = format!("{line}\nthis clock is {seconds} s {way} the gateway's: set it");
        }
        line
    }

    /// For programs.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::json!({
            "device": self.device,
            "gateway": self.url.to_string(),
            "gateway_id": self.gateway,
            "dir": self.dir,
            "certificate_until": self.certificate_until,
            "clock_ahead_ms": self.clock_ahead_ms,
        })
        .to_string()
    }
}

/// Why a device was not enrolled.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    #[error("already enrolled as {device} at {url}: add --replace to enrol anew")]
    Already { device: DeviceId, url: GatewayUrl },
    #[error(transparent)]
    Papers(#[from] PapersError),
    #[error("the key")]
    Key(#[from] IdentityError),
    #[error("the CA")]
    Trust(#[from] TrustError),
    #[error("not enrolled")]
    Transport(#[from] transport::EnrolError),
    /// The detail says what to do.
    #[error("the gateway refused the enrolment ({code}): {detail}")]
    Refused { code: String, detail: String },
    /// The gateway said yes, and what came cannot be used.
    #[error("the token is spent, and what the gateway sent cannot be kept; ask for a new token")]
    Lost(#[source] PapersError),
}

/// Makes a key on this device, asks the gateway for its certificate, and keeps both.
///
/// # Errors
///
/// [`EnrolError`]; papers that were there before are untouched.
pub async fn enrol(enrolment: &Enrolment) -> Result<Enrolled, EnrolError> {
    let dir = &enrolment.options.dir;
    if let (Ok(papers), false) = (Papers::load(dir), enrolment.replace) {
        return Err(EnrolError::Already { device: papers.device, url: papers.url });
    }
    papers::prepare(dir)?;
    let key = NewKey::generate()?;
    let request = EnrolRequest {
        protocol: PROTOCOL,
        token: enrolment.token.expose().trim().to_owned(),
        csr: key.request_pem()?,
        build: super::BUILD.to_owned(),
        wall: Now::read().wall,
    };
    let tls = PeerTls::new(&enrolment.ca, None)?;
    let dial = enrolment.options.dial(&enrolment.gateway, enrolment.options.carrier);
    match Dialer::new(dial, tls).enrol(&request).await? {
        EnrolReply::Refused { code, detail } => Err(EnrolError::Refused { code, detail }),
        EnrolReply::Enrolled(reply) => keep(enrolment, &key, reply, dir).map_err(EnrolError::Lost),
    }
}

fn keep(
    enrolment: &Enrolment,
    key: &NewKey,
    reply: Reply,
    dir: &Path,
) -> Result<Enrolled, PapersError> {
    let here = Now::read().wall;
    let ahead = here.0.saturating_sub(reply.wall.0);
    let papers = Papers::new(Parts {
        url: enrolment.gateway.clone(),
        gateway: reply.gateway,
        device: reply.device,
        enrolled: here,
        certificate: reply.certificate,
        key: SecretText::new(key.pem()),
        ca: reply.ca,
        warrant_key: reply.warrant_key,
    })?;
    papers.save(dir)?;
    let (_, certificate_until) = papers.identity.validity();
    Ok(Enrolled {
        device: papers.device,
        gateway: papers.gateway,
        url: papers.url,
        dir: dir.to_owned(),
        certificate_until,
        clock_ahead_ms: (ahead.abs() > CLOCK_OFF_MS_MAX).then_some(ahead),
    })
}
