//! Certificates: who signs, what they say, and what is wrong with a file.

use std::{os::unix::fs::PermissionsExt, time::Duration};

use super::*;
use crate::{clock::Wall, ids::PeerId};

const NOW: Wall = Wall(1_777_622_400_000);
const LIFE: Duration = Duration::from_secs(30 * 86_400);

fn device(id: &str) -> PeerId {
    PeerId::Device(id.parse().unwrap())
}

fn ca() -> Ca {
    Ca::fresh("Caseway test", NOW).unwrap()
}

#[test]
fn a_leaf_says_who_it_is_for_and_the_key_is_the_identity() {
    let ca = ca();
    for text in ["device/press-7", "person/ana", "face/gw-1"] {
        let peer: PeerId = text.parse().unwrap();
        let key = NewKey::generate().unwrap();
        let request = CertificateRequest::from_pem(&key.request_pem().unwrap()).unwrap();
        let issued = ca.issue(&request, &peer, LIFE, NOW).unwrap();
        let identity = Identity::from_pem(&issued.certificate, &key.pem()).unwrap();
        assert_eq!(identity.peer(), Some(peer));
        assert_eq!(identity.digest(), key.digest());
        assert_eq!(identity.digest(), issued.key);
        assert_eq!(identity.validity().1, issued.until);
        assert_eq!(issued.until, NOW.plus(LIFE));
    }
}

#[test]
fn a_renewed_certificate_carries_the_same_identity() {
    let (ca, key) = (ca(), NewKey::generate().unwrap());
    let request = CertificateRequest::from_pem(&key.request_pem().unwrap()).unwrap();
    let digest = |now| {
        let issued = ca.issue(&request, &device("press-7"), LIFE, now).unwrap();
        Identity::from_pem(&issued.certificate, &key.pem()).unwrap().digest()
    };
    assert_eq!(digest(NOW), digest(NOW.plus(LIFE)));
}

#[test]
fn renewal_is_due_at_two_thirds_of_the_life() {
    let identity = ca().identity(&device("press-7"), LIFE, NOW).unwrap();
    let (from, until) = identity.validity();
    assert_eq!(identity.renew_at().0, from.0 + (until.0 - from.0) / 3 * 2);
}

#[test]
fn a_request_names_nothing_that_the_ca_did_not_decide() {
    let key = NewKey::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["gw.example".to_owned()]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let greedy = params.serialize_request(key.pair()).unwrap().pem().unwrap();
    let request = CertificateRequest::from_pem(&greedy).unwrap();
    let issued = ca().issue(&request, &device("press-7"), LIFE, NOW).unwrap();
    let leaf = Identity::from_pem(&issued.certificate, &key.pem()).unwrap();
    let (_, parsed) = x509_parser::parse_x509_certificate(&leaf.chain()[0]).unwrap();
    assert!(!parsed.is_ca());
    let names = parsed.subject_alternative_name().unwrap().unwrap();
    assert_eq!(names.value.general_names.len(), 1);
    assert_eq!(leaf.peer(), Some(device("press-7")));
}

#[test]
fn a_request_that_its_key_did_not_sign_is_not_taken() {
    let pem = NewKey::generate().unwrap().request_pem().unwrap();
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let mut der = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, body).unwrap();
    let last = der.len() - 1;
    der[last] ^= 1;
    let body = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, der);
    let altered =
        format!("-----BEGIN CERTIFICATE REQUEST-----\n{body}\n-----END CERTIFICATE REQUEST-----\n");
    for bad in [altered.as_str(), "", "hello", &"x".repeat(5_000)] {
        assert!(CertificateRequest::from_pem(bad).is_err());
    }
}

#[test]
fn a_server_certificate_names_hosts_and_no_peer() {
    let server = ca().server(&["gw.example".into(), "192.0.2.1".into()], NOW).unwrap();
    assert_eq!(server.peer(), None);
    assert_eq!(server.validity().1, NOW.plus(Duration::from_secs(90 * 86_400)));
}

#[test]
fn keys_are_files_that_only_their_owner_reads_and_are_never_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let made = Ca::create(dir.path(), "Caseway test", NOW).unwrap();
    let loaded = Ca::load(dir.path()).unwrap();
    assert_eq!(made.certificate(), loaded.certificate());
    let mode =
        |name: &str| std::fs::metadata(dir.path().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("ca.key"), 0o600);
    assert!(matches!(
        Ca::create(dir.path(), "again", NOW),
        Err(CaError::File(FileError::Exists { .. }))
    ));

    // What the loaded one signs is believed by those who trust the first.
    let leaf = loaded.identity(&device("press-7"), LIFE, NOW).unwrap();
    let roots = Trust::load(&dir.path().join("ca.pem")).unwrap().roots();
    let verifier =
        rustls::server::WebPkiClientVerifier::builder_with_provider(roots, provider()).build();
    let at = rustls::pki_types::UnixTime::since_unix_epoch(Duration::from_millis(
        u64::try_from(NOW.0).unwrap(),
    ));
    verifier.unwrap().verify_client_cert(&leaf.chain()[0], &[], at).unwrap();
}

#[test]
fn an_identity_on_disk_comes_back_and_its_faults_name_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let (certificate, key_file) = (dir.path().join("device.pem"), dir.path().join("device.key"));
    let key = NewKey::generate().unwrap();
    key.save(&key_file).unwrap();
    let missing = Identity::load(&certificate, &key_file).unwrap_err().to_string();
    assert!(missing.contains("device.pem"), "{missing}");

    let request = CertificateRequest::from_pem(&key.request_pem().unwrap()).unwrap();
    let issued = ca().issue(&request, &device("press-7"), LIFE, NOW).unwrap();
    std::fs::write(&certificate, &issued.certificate).unwrap();
    let loaded = Identity::load(&certificate, &key_file).unwrap();
    assert_eq!(loaded.digest(), NewKey::load(&key_file).unwrap().digest());

    let other = NewKey::generate().unwrap();
    let mixed = Identity::from_pem(&issued.certificate, &other.pem());
    assert!(matches!(mixed, Err(IdentityError::Mismatch { .. })), "{mixed:?}");
    let no_key = Identity::load(&certificate, &certificate).unwrap_err().to_string();
    assert!(no_key.contains("holds no private key"), "{no_key}");
}

#[test]
fn a_file_that_is_no_ca_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ca.pem");
    std::fs::write(&path, "hello").unwrap();
    let fault = Trust::load(&path).unwrap_err().to_string();
    assert!(fault.contains("ca.pem"), "{fault}");
}

#[test]
fn nothing_secret_prints() {
    let key = NewKey::generate().unwrap();
    let identity = ca().identity(&device("press-7"), LIFE, NOW).unwrap();
    let printed = format!("{key:?} {identity:?} {:?}", ca());
    assert!(!printed.contains("PRIVATE") && printed.contains("[redacted]"));
}

#[test]
fn post_quantum_key_exchange_is_offered_first_and_nothing_older_than_tls_13() {
    let groups = &provider().kx_groups;
    assert_eq!(groups[0].name(), rustls::NamedGroup::X25519MLKEM768);
    let identity = ca().identity(&device("press-7"), LIFE, NOW).unwrap();
    let trust = Trust::from_pem(ca().certificate()).unwrap();
    let gateway = GatewayTls::new(&identity, &trust).unwrap();
    for door in [Door::Peer, Door::Enrol, Door::Http] {
        assert_eq!(gateway.config(door).max_early_data_size, 0);
    }
    assert!(gateway.config(Door::Peer).alpn_protocols == [ALPN_PEER.to_vec()]);
}

#[test]
fn bytes_that_are_no_certificate_are_refused_without_panic() {
    let leaf = ca().identity(&device("press-7"), LIFE, NOW).unwrap().chain()[0].to_vec();
    for cut in 0..leaf.len() {
        assert!(peer_id(&leaf[..cut]).is_err());
        assert!(spki_digest(&leaf[..cut]).is_err());
    }
}
