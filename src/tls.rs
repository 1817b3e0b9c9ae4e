//! Certificates: the internal CA, leaves on disk to rustls configs, a peer's certificate to its name.
//!
//! A leaf's subject alternative name is a URI, `caseway://device/<id>`, `caseway://person/<id>` or
//! `caseway://face/<id>`. The identity is the public key: its digest is what is pinned, stored and
//! revoked; the certificate only carries it.
