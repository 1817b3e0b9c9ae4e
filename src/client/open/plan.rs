//! Which local listeners a tunnel gets, from its targets and what was asked for. Pure.
//!
//! ```text
//!   nothing asked    one for each target that is one place, on the target's own port if that is free
//!   -L ...           those, and no others
//!   --socks alone    none: SOCKS reaches all TCP targets
//! ```

use std::net::{IpAddr, Ipv4Addr};

use crate::{
    client::{
        Exit, Failure,
        cli::Local,
        grammar::{Forward, ForwardTo},
        show::Terminal,
    },
    ids::Name,
    machines::{Destination, Proto, Target},
};

/// Where a channel leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) target: Name,
    pub(super) destination: Destination,
}

/// Which local port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Port {
    /// This one, or nothing.
    Exactly(u16),
    /// This one, or any if it is taken.
    Rather(u16),
    Any,
}

/// A listener to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) bind: IpAddr,
    pub(super) port: Port,
    pub(super) place: Place,
}

/// Refuses what would listen beyond this machine unasked, before anything is opened.
pub(super) fn permitted(local: &Local) -> Result<(), Failure> {
    let beyond = local.forward.iter().find(|forward| !forward.bind.is_loopback());
    match beyond {
        Some(Forward { bind, .. }) if !local.allow_remote_bind => {
            let what = format!("-L {bind}:... would let other machines use the tunnel");
            Err(Failure::new(Exit::Usage, what)
                .hint("give --allow-remote-bind if that is meant, or leave the address out"))
        }
        _ => Ok(()),
    }
}

/// The listeners for `targets`.
pub(super) fn listeners(
    targets: &[Target],
    local: &Local,
    terminal: &Terminal,
) -> Result<Vec<Plan>, Failure> {
    if !local.forward.is_empty() {
        return local.forward.iter().map(|forward| forwarded(targets, forward)).collect();
    }
    if local.socks.is_some() {
        return Ok(Vec::new());
    }
    let plans: Vec<Plan> = targets.iter().filter_map(own).collect();
    for target in targets.iter().filter(|target| target.single().is_none()) {
        let name = &target.name;
        terminal.note(format_args!(
            "{name} covers many places: reach them with --socks PORT, or one with -L PORT:HOST:PORT"
        ));
    }
    if plans.is_empty() {
        return Err(Failure::new(Exit::Usage, "no target of this tunnel is a single place")
            .hint("use --socks PORT, or -L PORT:HOST:PORT"));
    }
    Ok(plans)
}

/// The listener that a target gets by itself.
fn own(target: &Target) -> Option<Plan> {
    let destination = target.single()?;
    let port = Port::Rather(destination.port);
    let place = Place { target: target.name.clone(), destination };
    Some(Plan { bind: Ipv4Addr::LOCALHOST.into(), port, place })
}

fn forwarded(targets: &[Target], forward: &Forward) -> Result<Plan, Failure> {
    let place = match &forward.to {
        None => only(targets)?,
        Some(ForwardTo::Target(name)) => named(targets, name)?,
        Some(to @ ForwardTo::Place { .. }) => {
            let tcp = to.destination(Proto::Tcp).and_then(|place| covering(targets, place));
            let udp = || to.destination(Proto::Udp).and_then(|place| covering(targets, place));
            tcp.or_else(udp).ok_or_else(|| {
                let what = format!("{to} is not within this tunnel's targets");
                Failure::new(Exit::Usage, what).hint(choice(targets))
            })?
        }
    };
    let port = if forward.port == 0 { Port::Any } else { Port::Exactly(forward.port) };
    Ok(Plan { bind: forward.bind, port, place })
}

fn only(targets: &[Target]) -> Result<Place, Failure> {
    match targets {
        [target] => place_of(target),
        _ => Err(Failure::new(Exit::Usage, "-L PORT does not say which target is meant")
            .hint(choice(targets))),
    }
}

fn named(targets: &[Target], name: &Name) -> Result<Place, Failure> {
    let target = targets.iter().find(|target| target.name == *name).ok_or_else(|| {
        Failure::new(Exit::Usage, format!("this tunnel has no target {name}")).hint(choice(targets))
    })?;
    place_of(target)
}

fn place_of(target: &Target) -> Result<Place, Failure> {
    let destination = target.single().ok_or_else(|| {
        Failure::new(Exit::Usage, format!("{} covers many places", target.name))
            .hint("say which with -L PORT:HOST:PORT, or use --socks PORT")
    })?;
    Ok(Place { target: target.name.clone(), destination })
}

/// The place for `destination` in the first target that covers it.
pub(super) fn covering(targets: &[Target], destination: Destination) -> Option<Place> {
    let target = targets.iter().find(|target| target.covers(&destination))?;
    Some(Place { target: target.name.clone(), destination })
}

fn choice(targets: &[Target]) -> String {
    let names: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
    format!("its targets: {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        client::show::tests::Paper,
        machines::{Hosts, Ports},
    };

    fn target(name: &str, proto: Proto, hosts: Hosts, ports: (u16, u16)) -> Target {
        let ports = Ports { first: ports.0, last: ports.1 };
        Target { name: name.parse().unwrap(), proto, hosts, ports }
    }

    fn plc() -> Target {
        target("plc", Proto::Tcp, Hosts::Ip("10.0.0.5".parse().unwrap()), (502, 502))
    }

    fn echo() -> Target {
        target("udp-echo", Proto::Udp, Hosts::Dns("echo".into()), (7, 7))
    }

    fn hall() -> Target {
        target("hall", Proto::Tcp, Hosts::Block("10.1.0.0/16".parse().unwrap()), (1, 9999))
    }

    fn planned(targets: &[Target], forwards: &[&str], socks: Option<u16>) -> Vec<String> {
        let forward = forwards.iter().map(|text| text.parse().unwrap()).collect();
        let local = Local { forward, socks, ..Local::default() };
        let terminal = Terminal::new(Paper::default(), Paper::default());
        match listeners(targets, &local, &terminal) {
            Ok(plans) => plans
                .iter()
                .map(|p| {
                    format!("{} {:?} {} {}", p.bind, p.port, p.place.target, p.place.destination)
                })
                .collect(),
            Err(failure) => vec![failure.to_string()],
        }
    }

    #[test]
    fn unasked_each_single_target_gets_a_listener_on_its_own_port() {
        assert_eq!(
            planned(&[plc(), echo(), hall()], &[], None),
            [
                "127.0.0.1 Rather(502) plc tcp://10.0.0.5:502",
                "127.0.0.1 Rather(7) udp-echo udp://echo:7"
            ]
        );
        assert_eq!(planned(&[plc(), hall()], &[], Some(1080)), Vec::<String>::new());
        assert!(planned(&[hall()], &[], None)[0].contains("--socks"));
    }

    #[test]
    fn asked_listeners_are_those_and_no_others() {
        let targets = [plc(), echo(), hall()];
        assert_eq!(
            planned(&targets, &["5020:plc", "0:udp-echo", "8080:10.1.2.3:80"], Some(1080)),
            [
                "127.0.0.1 Exactly(5020) plc tcp://10.0.0.5:502",
                "127.0.0.1 Any udp-echo udp://echo:7",
                "127.0.0.1 Exactly(8080) hall tcp://10.1.2.3:80"
            ]
        );
        assert_eq!(planned(&[plc()], &["5020"], None).len(), 1);
    }

    #[test]
    fn a_listener_that_leads_nowhere_is_a_mistake_that_names_the_targets() {
        let targets = [plc(), hall()];
        for (forward, said) in [
            ("5020", "which target"),
            ("5020:pcl", "no target pcl"),
            ("5020:hall", "covers many places"),
            ("5020:192.0.2.1:80", "not within"),
        ] {
            let told = planned(&targets, &[forward], None).join("\n");
            assert!(told.contains(said), "{forward}: {told}");
        }
        assert!(planned(&targets, &["1:pcl"], None)[0].contains("plc, hall"));
    }

    #[test]
    fn other_machines_are_kept_out_unless_asked_in() {
        let mut local =
            Local { forward: vec!["0.0.0.0:80:plc".parse().unwrap()], ..Local::default() };
        assert_eq!(permitted(&local).unwrap_err().exit, Exit::Usage);
        local.allow_remote_bind = true;
        assert_eq!(permitted(&local), Ok(()));
        local = Local { forward: vec!["[::1]:80".parse().unwrap()], ..Local::default() };
        assert_eq!(permitted(&local), Ok(()));
    }
}
