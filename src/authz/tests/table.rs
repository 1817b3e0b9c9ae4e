//! The whole product of role, case type, state, switch and action, as one text for people.

use std::fmt::Write as _;

use super::matrix;
use super::world::{EXPIRED, OFF, ON, World, id};
use crate::{
    authz::{Action, Door, Reason, Want},
    cases::{CaseType, State, Switch},
    machines::Link,
    tenancy::{Permission, Role, Scope, Side},
};

const HEADER: &str = "\
WHO MAY DO WHAT

Every answer that Caseway gives, worked out by the very code that gives it. The setting: a machine of
the operator OP (which has internal service), linked with the provider SP; its edge device is online,
one tunnel is set up. Each person holds one role, which covers the machine.

  allow    yes
  a word   no, and this is the reason given
  a word~  no, for this reason; but as the person may not see the case or machine at all, they are
           told only that it was not found

  case_closed     the case is closed
  asset_inactive  the machine is out of service
  case_type       cases of this type never lead to a machine: the operator is no party to them
  no_provider     operator and provider have not linked their views of the machine
  not_found       the case is not the business of this person's company
  role            the role does not give this on this side
  switch_off      remote access is not turned on, or the time it was turned on for is over

States are new, in progress, closed; the switch is off, on or expired. What makes no difference is
written as \"any\"; what answers alike stands on one line.
";

/// The people who ask: a company, and one role there.
fn people() -> Vec<(String, &'static str, Vec<Role>)> {
    let mut people = Vec::new();
    for (home, side, name) in [("op", Side::Operator, "OP"), ("sp", Side::Provider, "SP")] {
        let of_side = Role::ALL.into_iter().filter(|role| role.side() == Some(side));
        let of_any = Role::ALL.into_iter().filter(|role| role.side().is_none());
        for role in of_side.chain(of_any) {
            people.push((format!("{name}  {}", role.title()), home, vec![role]));
        }
    }
    people.push(("another company, all roles".to_owned(), "other", Role::ALL.to_vec()));
    people
}

fn asked_by(world: &World, (_, home, roles): &(String, &'static str, Vec<Role>)) -> World {
    let asked = world.clone().from(home);
    roles.iter().fold(asked, |world, role| world.and(*role, Scope::Whole))
}

fn cell(world: &World, action: &Action) -> String {
    match world.ask(action.clone()) {
        Ok(()) => "allow".to_owned(),
        Err(denial) if denial.told() == denial.reason => denial.reason.code().to_owned(),
        Err(denial) => {
            assert_eq!(denial.told(), Reason::NotFound);
            format!("{}~", denial.reason)
        }
    }
}

const STATES: [(&str, State); 3] =
    [("new", State::New), ("in progress", State::InProgress), ("closed", State::Closed)];
const SWITCHES: [(&str, Switch); 3] = [("off", OFF), ("on", ON), ("expired", EXPIRED)];

/// Column heading and what is asked.
type Columns = Vec<(&'static str, Action)>;

fn of_cases(case: CaseType) -> Columns {
    let number = || id("case-1");
    let mut columns = vec![
        ("read", Action::ReadCase(number())),
        ("chat", Action::Chat(number())),
        ("records", Action::ReadAudit(number())),
        ("set state", Action::ChangeState(number())),
        ("assign", Action::Assign(number())),
        ("turn on", Action::SwitchCase { case: number(), on: true }),
        ("turn off", Action::SwitchCase { case: number(), on: false }),
        ("use tunnel", World::via_case(Door::Native, Want::Control)),
        ("move files", World::via_case(Door::Native, Want::Files)),
    ];
    if case == CaseType::ProviderInternal {
        columns.pop();
    }
    columns
}

fn of_assets() -> Columns {
    let asset = || id("a1");
    vec![
        ("see machine", Action::ReadAsset(asset())),
        ("see tunnels", Action::ReadTunnels(asset())),
        ("edit tunnels", Action::EditTunnels(asset())),
        ("pair device", Action::PairDevice(asset())),
        ("end others' session", Action::EndSession(asset())),
        ("turn on", Action::SwitchAsset { asset: asset(), on: true }),
        ("turn off", Action::SwitchAsset { asset: asset(), on: false }),
        ("use tunnel", World::via_asset()),
    ]
}

/// One line of a table: what it is about, then the answers.
type Line = Vec<String>;

/// Joins neighbours whose answers are alike; all of them are "any".
fn joined(lines: Vec<(&'static str, Vec<Line>)>) -> Vec<(String, Vec<Line>)> {
    let all = lines.len();
    let mut groups: Vec<(Vec<&str>, Vec<Line>)> = Vec::new();
    for (name, answers) in lines {
        match groups.iter_mut().find(|(_, other)| *other == answers) {
            Some((names, _)) => names.push(name),
            None => groups.push((vec![name], answers)),
        }
    }
    let name = |names: Vec<&str>| {
        if names.len() == all { "any".to_owned() } else { names.join(", ") }
    };
    groups.into_iter().map(|(names, answers)| (name(names), answers)).collect()
}

fn by_switch(world: &World, columns: &Columns, set: fn(World, Switch) -> World) -> Vec<Line> {
    let answers = |switch: Switch| {
        let world = set(world.clone(), switch);
        vec![columns.iter().map(|(_, action)| cell(&world, action)).collect()]
    };
    let lines = SWITCHES.into_iter().map(|(name, switch)| (name, answers(switch))).collect();
    let line = |(name, answers): (String, Vec<Line>)| [vec![name], answers.concat()].concat();
    joined(lines).into_iter().map(line).collect()
}

fn case_table(world: &World, case: CaseType) -> Vec<Line> {
    let columns = of_cases(case);
    let mut lines = vec![heading(&["", "state", "switch"], &columns)];
    for who in people() {
        let asked = asked_by(world, &who);
        let assignee = if case == CaseType::OperatorInternal {
            asked.assignee("op", &[Role::MaintenanceEngineer])
        } else {
            asked.assignee("sp", &[Role::ServiceTechnician])
        };
        let states = STATES.into_iter().map(|(name, state)| {
            let world = assignee.clone().state(state);
            (name, by_switch(&world, &columns, World::case_switch))
        });
        let mut name = who.0;
        for (mut state, answers) in joined(states.collect()) {
            for answer in answers {
                let of_person = vec![std::mem::take(&mut name), std::mem::take(&mut state)];
                lines.push([of_person, answer].concat());
            }
        }
    }
    lines
}

fn asset_table(world: &World) -> Vec<Line> {
    let columns = of_assets();
    let mut lines = vec![heading(&["", "switch"], &columns)];
    for who in people() {
        let mut name = who.0.clone();
        for answer in by_switch(&asked_by(world, &who), &columns, World::asset_switch) {
            lines.push([vec![std::mem::take(&mut name)], answer].concat());
        }
    }
    lines
}

fn plain_table(world: &World, columns: &Columns) -> Vec<Line> {
    let mut lines = vec![heading(&[""], columns)];
    for who in people() {
        let asked = asked_by(world, &who);
        let answers = columns.iter().map(|(_, action)| cell(&asked, action));
        lines.push([who.0.clone()].into_iter().chain(answers).collect());
    }
    lines
}

fn heading(before: &[&str], columns: &Columns) -> Line {
    let names = columns.iter().map(|(name, _)| *name);
    before.iter().copied().chain(names).map(str::to_owned).collect()
}

fn print(text: &mut String, title: &str, lines: &[Line]) {
    let count = lines[0].len();
    let widths: Vec<usize> =
        (0..count).map(|at| lines.iter().map(|line| line[at].len()).max().unwrap()).collect();
    writeln!(text, "\n\n{title}\n").unwrap();
    for line in lines {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        let cells = cells.collect::<Vec<_>>().join("  ");
        writeln!(text, "  {}", cells.trim_end()).unwrap();
    }
}

#[test]
fn the_whole_product_is_as_it_was_agreed() {
    let mut text = HEADER.to_owned();
    text.push_str(&matrix::text());
    for (number, title, case) in [
        (1, "A SHARED CASE, between OP and SP", CaseType::Shared),
        (2, "AN OPERATOR-INTERNAL CASE, inside OP", CaseType::OperatorInternal),
        (3, "A PROVIDER-INTERNAL CASE, inside SP (it has no switch)", CaseType::ProviderInternal),
    ] {
        let lines = case_table(&World::of(case), case);
        print(&mut text, &format!("{number}. {title}"), &lines);
    }
    let unlinked = World::shared().link(Link::New);
    let title = "4. A SHARED CASE WHOSE LINK BETWEEN OP AND SP WAS REMOVED";
    print(&mut text, title, &case_table(&unlinked, CaseType::Shared));
    let mut dead = World::shared();
    dead.asset().active = false;
    let title = "5. A SHARED CASE ABOUT A MACHINE OUT OF SERVICE";
    print(&mut text, title, &case_table(&dead, CaseType::Shared));
    print(
        &mut text,
        "6. THE MACHINE ITSELF, without a case (the switch is the machine's own)",
        &asset_table(&World::asset_level()),
    );
    let create = vec![
        ("shared case", Action::CreateCase(CaseType::Shared)),
        ("operator-internal case", Action::CreateCase(CaseType::OperatorInternal)),
        ("provider-internal case", Action::CreateCase(CaseType::ProviderInternal)),
    ];
    let world = World::asset_level();
    print(&mut text, "7. OPENING A CASE about a linked machine", &plain_table(&world, &create));
    let world = world.link(Link::Proposed { asset: id("a1") });
    let title = "8. OPENING A CASE about a machine that SP proposed and OP has not accepted";
    print(&mut text, title, &plain_table(&world, &create));
    let own = vec![
        ("manage people", Action::Own(Permission::ManagePeople)),
        ("manage edge devices", Action::Own(Permission::ManageDevices)),
        ("manage machines", Action::Own(Permission::ManageAssets)),
    ];
    let title = "9. ONE'S OWN COMPANY";
    print(&mut text, title, &plain_table(&World::asset_level(), &own));

    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!("who_may_do_what", text));
}
