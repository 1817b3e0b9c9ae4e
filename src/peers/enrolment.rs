//! A device's first certificate, and its next ones.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use tracing::{info, warn};

use super::{BUILD, Desk, admission::is_clock_off};
use crate::{
    clock::Now,
    ids::{DeviceId, KeyDigest, PeerId},
    secret::SecretText,
    store::EnrolError,
    tls::CertificateRequest,
    transport::PendingEnrolment,
    wire::{EnrolReply, EnrolRequest, Enrolled, PROTOCOL},
};

/// How long a device's certificate holds; it is renewed at two thirds of it.
const DEVICE_LIFE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Answers one enrolment.
pub(super) async fn answer(desk: &Desk, pending: PendingEnrolment) {
    let reply = match enrol(desk, &pending.request, Now::read()).await {
        Ok(enrolled) => {
            info!(device = %enrolled.device, remote = %pending.remote, "device enrolled");
            EnrolReply::Enrolled(enrolled)
        }
        Err((code, detail)) => {
            warn!(remote = %pending.remote, code, detail, "enrolment refused");
            EnrolReply::Refused { code: code.to_owned(), detail }
        }
    };
    if let Err(error) = pending.reply(&reply).await {
        warn!(%error, "a device left before it was told; its token may be spent: give it a new one");
    }
}

type Refusal = (&'static str, String);

async fn enrol(desk: &Desk, request: &EnrolRequest, now: Now) -> Result<Enrolled, Refusal> {
    if request.protocol != PROTOCOL {
        let theirs = request.protocol;
        let detail = format!(
            "the gateway speaks protocol {PROTOCOL} ({BUILD}), this program {theirs}; install the \
             gateway's version"
        );
        return Err(("protocol", detail));
    }
    if is_clock_off(request.wall, now.wall) {
        let detail = format!(
            "the clock of the device reads {}, the gateway's {}; set it, then enrol again",
            request.wall, now.wall
        );
        return Err(("clock", detail));
    }
    let csr = CertificateRequest::from_pem(&request.csr)
        .map_err(|error| ("request", error.to_string()))?;
    let token = SecretText::new(request.token.clone());
    let device = desk.store.consume_enrolment(&token, csr.key(), now).await.map_err(refused)?;
    let certificate = certify(desk, &device.id, &csr, now)?;
    Ok(Enrolled {
        device: device.id,
        gateway: desk.gateway.clone(),
        certificate,
        ca: desk.ca.certificate().to_owned(),
        warrant_key: URL_SAFE_NO_PAD.encode(desk.verifier.bytes()),
        wall: now.wall,
    })
}

fn refused(error: EnrolError) -> Refusal {
    match error {
        EnrolError::Store(error) => {
            ("unavailable", format!("the gateway cannot enrol now: {error}"))
        }
        EnrolError::Unknown
        | EnrolError::Used
        | EnrolError::Expired
        | EnrolError::Revoked
        | EnrolError::KeyTaken => ("token", error.to_string()),
    }
}

/// A new certificate for a device that is connected with `key`; only for that same key.
///
/// # Errors
///
/// In words, for the device's log.
pub(super) fn renew(
    desk: &Desk,
    device: &DeviceId,
    key: KeyDigest,
    csr: &str,
) -> Result<String, String> {
    let csr = CertificateRequest::from_pem(csr).map_err(|error| error.to_string())?;
    if csr.key() != key {
        return Err("the request is signed by another key than the device is known by".to_owned());
    }
    certify(desk, device, &csr, Now::read()).map_err(|(_, detail)| detail)
}

fn certify(
    desk: &Desk,
    device: &DeviceId,
    csr: &CertificateRequest,
    now: Now,
) -> Result<String, Refusal> {
    let issued = desk
        .ca
        .issue(csr, &PeerId::Device(device.clone()), DEVICE_LIFE, now.wall)
        .map_err(|error| ("unavailable", format!("the gateway cannot sign: {error}")))?;
    Ok(issued.certificate)
}
