//! `mail test`: whether mail leaves, before anybody waits for it.

use std::path::Path;

use caseway::{config, gateway};

use crate::out::{Failure, Out};

pub(crate) async fn test(path: &Path, to: &str, out: &Out) -> Result<(), Failure> {
    let flags = config::gateway::Flags::default();
    let options = config::gateway::load(path, &flags, std::env::vars())
        .map_err(|faults| Failure::config(&faults))?;
    gateway::test_mail(&options, to).await.map_err(|fault| match fault {
        gateway::MailTestError::NotSetUp
        | gateway::MailTestError::Setup(_)
        | gateway::MailTestError::Address(_) => Failure::usage(fault),
        gateway::MailTestError::NotSent(_) => Failure::other(fault),
    })?;
    if out.json {
        out.line(serde_json::json!({ "sent": to }));
    } else {
        out.line(format_args!("the mail server took it; look whether it arrives at {to}"));
    }
    Ok(())
}
