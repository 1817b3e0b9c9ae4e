//! Certificates and configs.
