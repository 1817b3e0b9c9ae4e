//! What a device is set up to do, and whether its gateway can be reached.

use std::fmt::Write as _;

use serde::Serialize;

use super::{
    exit::{Exit, Failure},
    options::Options,
    papers::Papers,
    status::CeilingShown,
};
use crate::{
    clock::{Now, Wall},
    telemetry::one_line,
    transport::{Carrier, CarrierChoice, Dialer},
};

/// What `check` found.
#[derive(Clone, Debug, Serialize)]
pub struct Checked {
    pub dir: String,
    pub gateway: Option<String>,
    pub carrier: &'static str,
    /// Without its password.
    pub proxy: Option<String>,
    pub local_switch: Option<String>,
    pub ceiling: CeilingShown,
    pub device: Option<String>,
    pub certificate_until: Option<Wall>,
    /// Why there are no papers, or what is wrong with them.
    pub papers_fault: Option<String>,
    pub reach: Vec<Tried>,
}

/// One carrier, tried.
#[derive(Clone, Debug, Serialize)]
pub struct Tried {
    pub carrier: String,
    pub reached: bool,
    /// What failed and what to do.
    pub fault: Option<String>,
}

/// Looks at the papers and dials over each carrier. Says nothing to the gateway, so that an agent
/// that runs is not replaced.
pub async fn check(options: &Options) -> Checked {
    let papers = Papers::load(&options.dir);
    let mut checked = Checked::of(options, &papers);
    match &papers {
        Ok(papers) => {
            checked.reach = vec![
                dial(options, papers, Carrier::Tcp).await,
                dial(options, papers, Carrier::Quic).await,
            ];
        }
        Err(error) => checked.papers_fault = Some(one_line(error)),
    }
    checked
}

async fn dial(options: &Options, papers: &Papers, carrier: Carrier) -> Tried {
    let fault = reach(options, papers, carrier).await.err();
    Tried { carrier: carrier.to_string(), reached: fault.is_none(), fault }
}

async fn reach(options: &Options, papers: &Papers, carrier: Carrier) -> Result<(), String> {
    let choice = match carrier {
        Carrier::Tcp => CarrierChoice::Tcp,
        Carrier::Quic if options.proxy.is_some() => {
            return Err("not tried: the proxy carries TCP alone".to_owned());
        }
        Carrier::Quic => CarrierChoice::Quic,
    };
    let (_, until) = papers.identity.validity();
    if until <= Now::read().wall {
        return Err(format!("this device's certificate ended at {until}: enrol again"));
    }
    let url = options.gateway.as_ref().unwrap_or(&papers.url);
    let dialled = Dialer::new(options.dial(url, choice), papers.tls.clone())
        .connect()
        .await
        .map_err(|error| one_line(&error))?;
    dialled.closer.close();
    if dialled.carrier == carrier {
        Ok(())
    } else {
        Err("no answer: is UDP blocked on the way?".to_owned())
    }
}

impl Checked {
    fn of<E>(options: &Options, papers: &Result<Papers, E>) -> Self {
        let papers = papers.as_ref().ok();
        let gateway = options.gateway.as_ref().or(papers.map(|papers| &papers.url));
        Self {
            dir: options.dir.display().to_string(),
            gateway: gateway.map(ToString::to_string),
            carrier: match options.carrier {
                CarrierChoice::Auto => "auto",
                CarrierChoice::Tcp => "tcp",
                CarrierChoice::Quic => "quic",
            },
            proxy: options.proxy.as_ref().map(|proxy| {
                let user = proxy.basic.as_ref().map(|(user, _)| format!("{user}:[redacted]@"));
                format!("http://{}{}:{}", user.unwrap_or_default(), proxy.host, proxy.port)
            }),
            local_switch: options.local_switch.as_ref().map(|path| path.display().to_string()),
            ceiling: CeilingShown::from(&options.ceiling),
            device: papers.map(|papers| papers.device.to_string()),
            certificate_until: papers.map(|papers| papers.identity.validity().1),
            papers_fault: None,
            reach: Vec::new(),
        }
    }

    /// Whether this device could go to work: enrolled, its gateway reached over any carrier.
    ///
    /// # Errors
    ///
    /// What is in the way, as a [`Failure`].
    pub fn verdict(&self) -> Result<(), Failure> {
        if let Some(fault) = &self.papers_fault {
            return Err(Failure::new(Exit::Usage, fault.clone()));
        }
        if self.reach.iter().any(|tried| tried.reached) {
            return Ok(());
        }
        let gateway = self.gateway.as_deref().unwrap_or("the gateway");
        let why = self.reach.iter().find_map(|tried| tried.fault.as_deref());
        let line = format!("{gateway} is not reached: {}", why.unwrap_or("nothing was tried"));
        let ended = self.certificate_until.is_some_and(|until| until <= Now::read().wall);
        Err(Failure::new(if ended { Exit::Refused } else { Exit::Unreachable }, line))
    }

    /// For programs.
    #[must_use]
    pub fn json(&self) -> String {
        // Text, numbers and lists: it can always be written.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// For people.
    #[must_use]
    pub fn table(&self) -> String {
        let not = "-".to_owned();
        let or_not = |value: &Option<String>| value.clone().unwrap_or_else(|| not.clone());
        let mut text = String::new();
        let until = self.certificate_until.map(|until| until.to_string());
        for (name, value) in [
            ("dir", self.dir.clone()),
            ("device", or_not(&self.device)),
            ("certificate until", or_not(&until)),
            ("gateway", or_not(&self.gateway)),
            ("carrier", self.carrier.to_owned()),
            ("proxy", or_not(&self.proxy)),
            ("local switch", or_not(&self.local_switch)),
            ("ceiling", self.ceiling.from.clone()),
        ] {
            // Writing to a `String` cannot fail.
            let _ = writeln!(text, "{name:<18} {value}");
        }
        for rule in &self.ceiling.rules {
            let _ = writeln!(text, "  allow {rule}");
        }
        for tried in &self.reach {
            let outcome = tried.fault.as_deref().unwrap_or("the gateway is reached");
            let name = format!("over {}", tried.carrier);
            let _ = writeln!(text, "{name:<18} {outcome}");
        }
        text
    }
}
