//! What a list of cases and a decision cost where there is much to look through.
//!
//! ```text
//!   100,000 cases about 10,000 assets of one operator, half of them shared with one provider
//!   1,000 people: every role, half of them for the whole company, half for one hall or customer
//!       cases(role)   a page of 50: unfiltered, open ones, by words, from deep in the list
//!       decide        the facts of one person and one case, and the decision on them
//! ```
//!
//! `cargo bench --bench access`; `-- --cases N --assets N --people N` for others. Aims: a list below
//! 50 ms and a decision below 5 ms, both at p99. The store is asked, in this process, over real files.

use std::{
    io::{Write, stdout},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result};
use caseway::{
    authz::{Action, Presence, PresenceOf, Request, decide},
    cases::{Case, Kind, State, Switch},
    clock::{Now, Wall},
    ids::{CaseId, DeviceId, PersonId},
    machines::{Asset, CustomerMachine, Link},
    store::{CaseFilter, Limits, Page, Seed, SeedPerson, Store, Subject},
    tenancy::{Assignment, Person, Role, Scope, Side, Tenant, TenantRole},
};
use clap::Parser;

/// Lists that are asked for, of each role.
const LISTS: usize = 400;
/// Decisions.
const DECISIONS: usize = 5_000;
/// Halls of the operator, and customers of the provider.
const PARTS: usize = 50;

#[derive(Debug, Parser)]
struct Args {
    #[arg(long, default_value_t = 100_000)]
    cases: usize,
    #[arg(long, default_value_t = 10_000)]
    assets: usize,
    #[arg(long, default_value_t = 1_000)]
    people: usize,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Debug)]
struct Here;

impl PresenceOf for Here {
    fn presence(&self, _device: &DeviceId) -> Presence {
        Presence::Online
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let dir = tempfile::tempdir()?;
    let limits = Limits { free_bytes_min: 0, ..Limits::default() };
    let store = Store::open(&dir.path().join("caseway.db"), Arc::new(Here), limits).await?;
    let began = Now::read().mono;
    store.seed(&seed(&args)?, &"gateway-1".parse()?, Now::read()).await?;
    writeln!(
        stdout(),
        "{} cases, {} assets, {} people, seeded in {:.1} s",
        args.cases,
        args.assets,
        args.people,
        since(began).as_secs_f64()
    )?;
    writeln!(stdout(), "{:24} {:>10} {:>10} {:>10}", "", "p50 ms", "p99 ms", "cases seen")?;
    for (at, role) in Role::ALL.into_iter().enumerate() {
        let mut times = Vec::with_capacity(LISTS);
        let mut seen = 0;
        for turn in 0..LISTS {
            let who =
                person(at + Role::ALL.len() * (turn % (args.people / Role::ALL.len()).max(1)))?;
            let (filter, page) = asked(turn, &args);
            let began = Now::read().mono;
            let found = store.cases(&who, &filter, &page, Now::read()).await?;
            times.push(since(began));
            seen += found.items.len();
        }
        row(role.code(), &mut times, seen)?;
    }
    let mut times = Vec::with_capacity(DECISIONS);
    for turn in 0..DECISIONS {
        let (who, case) = (person(turn % args.people)?, case_id(1 + turn * 7919 % args.cases)?);
        let began = Now::read().mono;
        let facts = store.facts(&Subject::case(who.clone(), case.clone())).await?;
        let request = Request { who, action: Action::ReadCase(case), at: Now::read().wall };
        std::hint::black_box(decide(request, &facts));
        times.push(since(began));
    }
    row("decide, with its facts", &mut times, DECISIONS)?;
    store.close().await;
    Ok(())
}

/// What is asked for, in turn.
fn asked(turn: usize, args: &Args) -> (CaseFilter, Page) {
    let (mut filter, mut page) = (CaseFilter::default(), Page::default());
    match turn % 4 {
        0 => {}
        1 => filter.open = Some(true),
        2 => filter.text = Some("spindle".to_owned()),
        _ => page.after = Some((args.cases / 2).to_string()),
    }
    (filter, page)
}

fn since(began: std::time::Instant) -> Duration {
    Now::read().mono.saturating_duration_since(began)
}

fn row(name: &str, times: &mut [Duration], seen: usize) -> Result<()> {
    times.sort();
    let at = |share: usize| {
        let at = (times.len() * share / 100).min(times.len().saturating_sub(1));
        times.get(at).map_or(0.0, |time| time.as_secs_f64() * 1_000.0)
    };
    Ok(writeln!(stdout(), "{name:24} {:>10.2} {:>10.2} {seen:>10}", at(50), at(99))?)
}

fn person(number: usize) -> Result<PersonId> {
    format!("person-{number}").parse().context("a person's id")
}

fn case_id(number: usize) -> Result<CaseId> {
    format!("CASE-{number}").parse().context("a case's id")
}

fn seed(args: &Args) -> Result<Seed> {
    use TenantRole::{Basic, Operator, OperatorInternalService, ServiceProvider};
    let mut seed = Seed::default();
    for (id, roles) in [
        ("op", [Basic, Operator, OperatorInternalService]),
        ("sp", [Basic, Basic, ServiceProvider]),
    ] {
        let roles = roles.into();
        seed.tenants.push(Tenant { id: id.parse()?, name: id.to_owned(), active: true, roles });
    }
    for number in 0..args.people {
        people(&mut seed, number)?;
    }
    for number in 0..args.assets {
        seed.assets.push(Asset {
            id: format!("asset-{number}").parse()?,
            operator: "op".parse()?,
            name: format!("Asset {number}"),
            serial: format!("SN-{number}"),
            facility: Some(format!("hall-{}", number % PARTS).parse()?),
            active: true,
            switch: Switch::default(),
            device: None,
        });
        seed.machines.push(CustomerMachine {
            id: format!("machine-{number}").parse()?,
            provider: "sp".parse()?,
            customer: format!("customer-{}", number % PARTS).parse()?,
            serial: format!("SN-{number}"),
            link: Link::Linked { asset: format!("asset-{number}").parse()? },
        });
    }
    for number in 1..=args.cases {
        seed.cases.push(case(number, args)?);
    }
    Ok(seed)
}

fn people(seed: &mut Seed, number: usize) -> Result<()> {
    let role = *Role::ALL.get(number % Role::ALL.len()).context("no role")?;
    let provider = role.side() == Some(Side::Provider);
    let person = Person {
        id: person(number)?,
        tenant: if provider { "sp" } else { "op" }.parse()?,
        email: format!("person-{number}@mail.example"),
        name: format!("Person {number}"),
        active: true,
    };
    let part = number / Role::ALL.len() % PARTS;
    let scope = match (number / Role::ALL.len() % 2, provider) {
        (0, _) => Scope::Whole,
        (_, true) => Scope::Customers([format!("customer-{part}").parse()?].into()),
        (_, false) => Scope::Facilities([format!("hall-{part}").parse()?].into()),
    };
    let (id, of) = (format!("assignment-{number}").parse()?, person.id.clone());
    seed.assignments.push(Assignment { id, person: of, role, scope });
    seed.people.push(SeedPerson { person, password_hash: None });
    Ok(())
}

fn case(number: usize, args: &Args) -> Result<Case> {
    let asset = number % args.assets;
    let kind = match number % 10 {
        0..5 => Kind::Shared {
            operator: "op".parse()?,
            provider: "sp".parse()?,
            asset: format!("asset-{asset}").parse()?,
            switch: Switch::default(),
        },
        5..8 => Kind::OperatorInternal {
            operator: "op".parse()?,
            asset: format!("asset-{asset}").parse()?,
            switch: Switch::default(),
        },
        _ => Kind::ProviderInternal {
            provider: "sp".parse()?,
            machine: format!("machine-{asset}").parse()?,
        },
    };
    // One in twenty is open, the newest more often: as a desk looks after years.
    let open = number.is_multiple_of(20) || number > args.cases - args.cases / 50;
    Ok(Case {
        id: case_id(number)?,
        title: if number.is_multiple_of(1_000) { "The spindle squeaks" } else { "Belt slips" }
            .to_owned(),
        kind,
        state: if open { State::InProgress } else { State::Closed },
        created_by: person(2)?,
        assignee: None,
        created_at: Wall(0),
        closed_at: (!open).then_some(Wall(1)),
    })
}
