//! The way to a gateway: which CA is trusted, which certificate is shown, which carrier is taken.

use super::{
    cli::CarrierChoice,
    exit::{Exit, Failure},
    state::{Gateway, LoggedIn},
};
use crate::{
    telemetry::one_line,
    tls::{Identity, IdentityError, PeerTls, TlsFault, Trust, TrustError},
    transport::{self, DialError, DialOptions, Dialer, GatewayUrl},
};

/// Why a gateway was not reached.
#[derive(Debug, thiserror::Error)]
pub(super) enum GateError {
    #[error("the trusted CA cannot be used")]
    Trust(#[source] TrustError),
    #[error("the kept key and certificate cannot be used")]
    Identity(#[source] IdentityError),
    #[error(transparent)]
    Dial(#[from] DialError),
}

/// A dialer for the HTTP door: no certificate is shown.
pub(super) fn http(gateway: &Gateway) -> Result<Dialer, GateError> {
    let tls = PeerTls::new(&trust(&gateway.ca)?, None).map_err(GateError::Trust)?;
    Ok(dialer(&gateway.url, tls, CarrierChoice::Tcp))
}

/// A dialer for the peers' door, and what it shows there.
pub(super) fn peer(
    login: &LoggedIn,
    carrier: CarrierChoice,
) -> Result<(Dialer, Identity), GateError> {
    let identity = Identity::from_pem(&login.certificate, login.key.expose());
    let identity = identity.map_err(GateError::Identity)?;
    let trust = trust(&login.gateway.ca)?;
    let tls = PeerTls::new(&trust, Some(&identity)).map_err(GateError::Trust)?;
    Ok((dialer(&login.gateway.url, tls, carrier), identity))
}

/// The CA certificates in `pem`.
pub(super) fn trust(pem: &str) -> Result<Trust, GateError> {
    Trust::from_pem(pem).map_err(GateError::Trust)
}

fn dialer(url: &GatewayUrl, tls: PeerTls, carrier: CarrierChoice) -> Dialer {
    let carrier = match carrier {
        CarrierChoice::Auto => transport::CarrierChoice::Auto,
        CarrierChoice::Tcp => transport::CarrierChoice::Tcp,
        CarrierChoice::Quic => transport::CarrierChoice::Quic,
    };
    let options =
        DialOptions { host: url.host.clone(), port: url.port, carrier, proxy: None, bind: None };
    Dialer::new(options, tls)
}

impl From<GateError> for Failure {
    fn from(error: GateError) -> Self {
        let what = one_line(&error);
        match error {
            GateError::Trust(_) => {
                Self::new(Exit::Usage, what).hint("give the gateway's ca.pem with --ca FILE")
            }
            GateError::Identity(_) => Self::new(Exit::NotLoggedIn, what).hint("log in again"),
            GateError::Dial(dial) => Self::new(exit_of(&dial), what).hint(hint_of(&dial)),
        }
    }
}

fn exit_of(error: &DialError) -> Exit {
    match error {
        DialError::NoIdentity
        | DialError::Tls {
            fault:
                TlsFault::NoCertificate
                | TlsFault::OursExpired { .. }
                | TlsFault::OursForeign
                | TlsFault::OursRefused,
            ..
        } => Exit::NotLoggedIn,
        DialError::Name(_) => Exit::Usage,
        DialError::Resolve { .. }
        | DialError::Connect { .. }
        | DialError::Timeout { .. }
        | DialError::ProxyConnect { .. }
        | DialError::ProxyRefused { .. }
        | DialError::ProxyMalformed { .. }
        | DialError::Tls { .. }
        | DialError::Neither { .. } => Exit::Unreachable,
    }
}

fn hint_of(error: &DialError) -> &'static str {
    match error {
        DialError::NoIdentity => "log in with `caseway login URL`",
        DialError::Name(_) => "see the address that was logged in to: `caseway status`",
        DialError::Tls { fault: TlsFault::ForeignCa, .. } => {
            "give the CA of this gateway: `caseway login URL --ca FILE`"
        }
        DialError::Tls { .. } => "nothing was sent",
        DialError::ProxyConnect { .. }
        | DialError::ProxyRefused { .. }
        | DialError::ProxyMalformed { .. } => "see the proxy's settings",
        DialError::Resolve { .. }
        | DialError::Connect { .. }
        | DialError::Timeout { .. }
        | DialError::Neither { .. } => "is the address right, and the gateway running?",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_ca_says_which_file_to_give() {
        let tls = DialError::Tls { address: "gate:8443".into(), fault: TlsFault::ForeignCa };
        let failure = Failure::from(GateError::Dial(tls));
        assert_eq!(failure.exit, Exit::Unreachable);
        let line = failure.to_string();
        assert!(line.contains("another CA") && line.contains("--ca FILE"), "{line}");
        assert!(!line.contains('\n'), "{line}");
    }

    #[test]
    fn a_certificate_that_ended_is_a_log_in_that_ended() {
        let here = crate::clock::Wall(0);
        let fault = TlsFault::OursExpired { here };
        let tls = DialError::Tls { address: "gate:8443".into(), fault };
        assert_eq!(Failure::from(GateError::Dial(tls)).exit, Exit::NotLoggedIn);
    }

    #[test]
    fn an_unreadable_ca_is_a_mistake_in_the_arguments() {
        assert_eq!(Failure::from(trust("nothing").unwrap_err()).exit, Exit::Usage);
    }
}
