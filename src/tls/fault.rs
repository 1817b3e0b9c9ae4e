//! What went wrong in a handshake, in words that say what to do.

use std::io;

use rustls::{AlertDescription, CertificateError, Error};

use crate::clock::{Now, Wall};

/// Why a TLS handshake failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsFault {
    #[error(
        "the gateway's certificate ended at {until}; the clock here reads {here}: renew it, or set the clock"
    )]
    Expired { until: Wall, here: Wall },
    #[error(
        "the gateway's certificate begins at {from}; the clock here reads {here}: set the clock"
    )]
    NotYetValid { from: Wall, here: Wall },
    #[error(
        "the gateway's certificate was signed by another CA than the one trusted here: check the CA file"
    )]
    ForeignCa,
    #[error("the gateway's certificate is not for `{expected}`, but for {}", presented.join(", "))]
    WrongName { expected: String, presented: Vec<String> },
    #[error("the gateway wants a certificate, and none was shown: enrol or log in first")]
    NoCertificate,
    #[error(
        "the gateway says that our certificate has expired; the clock here reads {here}: enrol or log \
         in again, or set the clock if it is wrong"
    )]
    OursExpired { here: Wall },
    #[error("the gateway does not know the CA of our certificate: enrol or log in again")]
    OursForeign,
    #[error("the gateway refused our certificate")]
    OursRefused,
    #[error(
        "the other side does not speak this program's protocol: is it a Caseway gateway of this version?"
    )]
    Protocol,
    #[error("TLS failed: {0}")]
    Other(String),
}

impl TlsFault {
    /// The fault inside an I/O error, if it came out of TLS.
    #[must_use]
    pub fn of(error: &io::Error) -> Option<Self> {
        let inner = error.get_ref()?;
        if let Some(fault) = inner.downcast_ref::<Self>() {
            return Some(fault.clone());
        }
        inner.downcast_ref::<Error>().map(Self::of_rustls)
    }

    /// The fault that a rustls error means, read by the side that dialled.
    #[must_use]
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the rest is named by its own words, whatever is added to it"
    )]
    pub fn of_rustls(error: &Error) -> Self {
        if let Error::InvalidCertificate(fault) = error {
            return Self::of_certificate(fault);
        }
        match error {
            Error::AlertReceived(alert) => Self::of_alert(*alert),
            Error::NoApplicationProtocol => Self::Protocol,
            other => Self::Other(other.to_string()),
        }
    }

    /// The fault that an alert of the gateway means (RFC 8446 section 6.2).
    #[must_use]
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the rest is named by its own words, whatever is added to it"
    )]
    pub fn of_alert(alert: AlertDescription) -> Self {
        match alert {
            AlertDescription::CertificateRequired => Self::NoCertificate,
            AlertDescription::CertificateExpired => Self::OursExpired { here: Now::read().wall },
            AlertDescription::UnknownCA => Self::OursForeign,
            AlertDescription::BadCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::DecryptError
            | AlertDescription::AccessDenied => Self::OursRefused,
            AlertDescription::NoApplicationProtocol | AlertDescription::ProtocolVersion => {
                Self::Protocol
            }
            other => Self::Other(format!("the other side sent the alert {other:?}")),
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the rest is named by its own words, whatever is added to it"
    )]
    fn of_certificate(fault: &CertificateError) -> Self {
        let wall = |time: &rustls::pki_types::UnixTime| {
            Wall(i64::try_from(time.as_secs()).unwrap_or(i64::MAX).saturating_mul(1_000))
        };
        match fault {
            CertificateError::ExpiredContext { time, not_after } => {
                Self::Expired { until: wall(not_after), here: wall(time) }
            }
            CertificateError::NotValidYetContext { time, not_before } => {
                Self::NotYetValid { from: wall(not_before), here: wall(time) }
            }
            CertificateError::NotValidForNameContext { expected, presented } => Self::WrongName {
                expected: expected.to_str().into_owned(),
                presented: presented.clone(),
            },
            CertificateError::UnknownIssuer | CertificateError::BadSignature => Self::ForeignCa,
            other => Self::Other(other.to_string()),
        }
    }
}
