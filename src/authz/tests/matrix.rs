//! The matrix of domain.md C.2, worked out cell by cell by the code that decides, in the rows,
//! columns and marks of that table, so that the two can be laid side by side.

use std::fmt::Write as _;

use super::world::{OFF, World, id};
use crate::{
    authz::{
        Action, Door, Want,
        matrix::{Basis, cell_of},
    },
    cases::CaseType::{self, OperatorInternal, ProviderInternal, Shared},
    tenancy::{Permission, Permission as P, Role, Scope, Side},
};

const HEADER: &str = "
0. THE MATRIX (domain.md C.2): WHAT EACH ROLE GIVES

Each cell is the decision for a person who holds that one role for the whole company, where nothing
else stands in the way. Columns and marks are those of domain.md C.2.

  Y yes   - no   R read   M manage   A read by API token only   f by switching the case's flag off
  ˢ S0 or S1 state it   ᵈ another document states it   ⁱ an inference   ᶜ a contradiction resolved

";

/// What a letter stands for: the permission, and what is asked.
type Asked = (&'static str, Permission, Vec<(World, Action)>);
/// A row as domain.md calls it; of its letters the last that is allowed counts.
type Row = (&'static str, Vec<Asked>);

fn case(kind: CaseType, action: fn(crate::ids::CaseId) -> Action) -> (World, Action) {
    (World::of(kind), action(id("case-1")))
}

fn asset(action: fn(crate::ids::AssetId) -> Action) -> (World, Action) {
    (World::asset_level(), action(id("a1")))
}

fn machine(action: fn(crate::ids::MachineId) -> Action) -> (World, Action) {
    (World::asset_level(), action(id("m1")))
}

fn customer(action: fn(crate::ids::CustomerId) -> Action) -> (World, Action) {
    (World::asset_level(), action(id("c1")))
}

fn own(permission: Permission) -> (World, Action) {
    (World::asset_level(), Action::Own(permission))
}

fn create(kind: CaseType) -> (World, Action) {
    (World::asset_level(), Action::CreateCase(kind))
}

/// Who can be assigned is asked by somebody who can assign.
fn assigned(kind: CaseType) -> (World, Action) {
    let (home, by) = match kind {
        OperatorInternal => ("op", Role::MaintenanceEngineer),
        Shared | ProviderInternal => ("sp", Role::ServiceTechnician),
    };
    (World::of(kind).from(home).and(by, Scope::Whole), Action::Assign(id("case-1")))
}

fn switch(kind: CaseType) -> Vec<(World, Action)> {
    let turn = |on| (World::of(kind), Action::SwitchCase { case: id("case-1"), on });
    vec![turn(true), turn(false)]
}

fn tunnel(kind: CaseType) -> (World, Action) {
    (World::of(kind), World::via_case(Door::Native, Want::Control))
}

/// What `role` is answered: from the company of its side, or from either where it has no side.
fn allowed(world: &World, action: &Action, permission: Permission, role: Role) -> bool {
    let homes = match role.side() {
        Some(Side::Operator) => &["op"][..],
        Some(Side::Provider) => &["sp"][..],
        None => &["op", "sp"][..],
    };
    homes.iter().any(|home| {
        let being =
            [P::BeAssigneeShared, P::BeAssigneeOperatorInternal, P::BeAssigneeProviderInternal];
        let world = if being.contains(&permission) {
            world.clone().assignee(home, &[role])
        } else {
            let world = world.clone().from(home).and(role, Scope::Whole);
            let (of, with) = if permission == P::AssignOperatorInternal {
                ("op", Role::MaintenanceEngineer)
            } else {
                ("sp", Role::ServiceTechnician)
            };
            let colleague = world.assignee(of, &[with]);
            // The device that is decommissioned is the asker's own.
            colleague.with(|facts| facts.device.as_mut().unwrap().device.owner = id(home))
        };
        world.ask(action.clone()).is_ok()
    })
}

fn cell(letters: &[Asked], role: Role) -> String {
    let mut shown = ("-", letters[0].1);
    for (letter, permission, asked) in letters {
        let cell = cell_of(*permission, role);
        for (world, action) in asked {
            let answer = allowed(world, action, *permission, role);
            assert_eq!(answer, cell.given, "{role:?} {permission} {action:?}");
        }
        if cell.given {
            shown = (if cell.api { "A" } else { letter }, *permission);
        }
    }
    let (mut letter, permission) = shown;
    // Whoever turns a case's flag off ends its sessions.
    if letter == "-" && permission == P::EndSession && cell_of(P::SwitchCase, role).given {
        letter = "f";
    }
    let mark = match cell_of(permission, role).basis {
        Basis::Stated => "ˢ",
        Basis::Documented => "ᵈ",
        Basis::Inferred => "ⁱ",
        Basis::Resolved => "ᶜ",
        Basis::Plain => "",
    };
    format!("{letter}{mark}")
}

fn yes(title: &'static str, permission: Permission, asked: Vec<(World, Action)>) -> Row {
    (title, vec![("Y", permission, asked)])
}

fn read(title: &'static str, permission: Permission, asked: (World, Action)) -> Row {
    (title, vec![("R", permission, vec![asked])])
}

fn read_manage(title: &'static str, read: Permission, manage: Permission) -> Row {
    (title, vec![("R", read, vec![own(read)]), ("M", manage, vec![own(manage)])])
}

#[rustfmt::skip]
fn of_people_and_cases() -> Vec<Row> {
    let one = |title, permission| yes(title, permission, vec![own(permission)]);
    let (state, assign) = (Action::ChangeState, Action::Assign);
    vec![
        one("Sign in to portal", P::SignIn),
        one("Invite / delete users", P::ManagePeople),
        one("Assign roles and scope", P::AssignRoles),
        one("Delete own account / drop own admin role", P::DeleteSelf),
        one("Company info, appearance", P::ManageCompany),
        one("Read users and their roles", P::ReadPeople),
        yes("Create shared case", P::CreateShared, vec![create(Shared)]),
        yes("Read shared case", P::ReadShared, vec![case(Shared, Action::ReadCase)]),
        yes("Close / change state, shared", P::ChangeStateShared, vec![case(Shared, state)]),
        yes("Assign provider assignee, shared", P::AssignShared, vec![case(Shared, assign)]),
        yes("Create OI case", P::CreateOperatorInternal, vec![create(OperatorInternal)]),
        yes("Read OI case", P::ReadOperatorInternal, vec![case(OperatorInternal, Action::ReadCase)]),
        ("State / assignee, OI", vec![
            ("Y", P::ChangeStateOperatorInternal, vec![case(OperatorInternal, state)]),
            ("Y", P::AssignOperatorInternal, vec![case(OperatorInternal, assign)]),
        ]),
        yes("Be assignee, OI", P::BeAssigneeOperatorInternal, vec![assigned(OperatorInternal)]),
        yes("Create PI case", P::CreateProviderInternal, vec![create(ProviderInternal)]),
        yes("Read PI case", P::ReadProviderInternal, vec![case(ProviderInternal, Action::ReadCase)]),
        ("State / assignee, PI", vec![
            ("Y", P::ChangeStateProviderInternal, vec![case(ProviderInternal, state)]),
            ("Y", P::AssignProviderInternal, vec![case(ProviderInternal, assign)]),
        ]),
        yes("Chat / conference (readable cases)", P::Chat, vec![case(Shared, Action::Chat)]),
    ]
}

#[rustfmt::skip]
fn of_tunnels_and_machines() -> Vec<Row> {
    let turn = |on| (World::asset_level().asset_switch(OFF), Action::SwitchAsset { asset: id("a1"), on });
    let files = (World::shared(), World::via_case(Door::Native, Want::Files));
    let every = |kinds: [CaseType; 2]| kinds.into_iter().flat_map(switch).collect();
    vec![
        yes("(De-)activate flag, shared / OI", P::SwitchCase, switch(Shared)),
        yes("(De-)activate flag, PI", P::SwitchProviderInternal, every([ProviderInternal; 2])),
        yes("(De-)activate asset flag", P::SwitchAsset, vec![turn(true), turn(false)]),
        yes("Use tunnel, shared", P::UseShared, vec![tunnel(Shared)]),
        yes("Use tunnel, OI", P::UseOperatorInternal, vec![tunnel(OperatorInternal)]),
        yes("Use tunnel, PI", P::UseProviderInternal, vec![tunnel(ProviderInternal)]),
        yes("Use tunnel, asset level", P::UseAsset, vec![(World::asset_level(), World::via_asset())]),
        yes("Own local IP / local port", P::OwnLocalPort, vec![own(P::OwnLocalPort)]),
        yes("Create / edit tunnel configs on a machine", P::EditTunnels, vec![asset(Action::EditTunnels)]),
        read("Read tunnel configs", P::ReadTunnels, asset(Action::ReadTunnels)),
        read_manage("Templates on machine models", P::ReadModels, P::ManageModels),
        yes("File transfer", P::TransferFiles, vec![files]),
        read_manage("Edge devices", P::ReadDevices, P::ManageDevices),
        yes("Pair machine with edge device", P::PairDevice, vec![asset(Action::PairDevice)]),
        yes("Downgrade / decommission (of the own side)", P::Decommission, vec![asset(Action::Decommission)]),
        ("Facilities and assets", vec![
            ("R", P::ReadFacilities, vec![own(P::ReadFacilities)]),
            ("M", P::ManageFacilities, vec![own(P::ManageFacilities)]),
            ("M", P::ManageAssets, vec![own(P::ManageAssets)]),
        ]),
        yes("Accept / decline asset proposals", P::AnswerProposal, vec![asset(Action::AnswerProposal)]),
        ("Customers, machines, service orgs, contracts", vec![
            ("R", P::ReadMachines, vec![
                own(P::ReadMachines),
                machine(Action::ReadMachine),
                customer(Action::ReadCustomer),
            ]),
            ("M", P::ManageCustomers, vec![
                own(P::ManageCustomers),
                machine(Action::ManageMachine),
                customer(Action::ManageCustomer),
            ]),
        ]),
        read_manage("Documents & media", P::ReadDocuments, P::ManageDocuments),
        ("Applications (+ assign to machine models)", vec![
            ("R", P::ReadApplications, vec![own(P::ReadApplications)]),
            ("R+", P::AssignApplications, vec![own(P::AssignApplications)]),
            ("M", P::ManageApplications, vec![own(P::ManageApplications)]),
        ]),
        ("Machine licences (+ download)", vec![
            ("R", P::ReadLicences, vec![own(P::ReadLicences)]),
            ("R+", P::DownloadLicences, vec![own(P::DownloadLicences)]),
        ]),
        yes("Read case audit log", P::ReadAudit, vec![case(Shared, Action::ReadAudit)]),
        yes("Terminate own session", P::EndOwnSession, vec![asset(Action::EndOwnSession)]),
        yes("Terminate others' sessions", P::EndSession, vec![asset(Action::EndSession)]),
    ]
}

#[rustfmt::skip]
fn beside() -> Vec<Row> {
    let edit = Action::EditCase;
    vec![
        yes("Edit title, severity ... of a shared case", P::EditShared, vec![case(Shared, edit)]),
        yes("Edit an OI case", P::EditOperatorInternal, vec![case(OperatorInternal, edit)]),
        yes("Edit a PI case", P::EditProviderInternal, vec![case(ProviderInternal, edit)]),
        yes("Be assignee, shared", P::BeAssigneeShared, vec![assigned(Shared)]),
        yes("Be assignee, PI", P::BeAssigneeProviderInternal, vec![assigned(ProviderInternal)]),
        yes("Ask the operator to activate, shared", P::RequestAccess, vec![case(Shared, Action::RequestAccess)]),
        yes("See an asset (provider: a linked one)", P::ReadAsset, vec![asset(Action::ReadAsset)]),
        yes("Propose a machine / remove its link", P::ProposeMachine, vec![machine(Action::ProposeMachine)]),
    ]
}

fn print(text: &mut String, rows: &[Row]) {
    const COLUMNS: [&str; Role::ALL.len()] =
        ["TA", "DAC", "MO", "WM", "OIS", "ME", "L1", "ST", "MDM", "CDM", "SM"];
    let mut line = |title: &str, cells: &[String]| {
        let mut shown = format!("  {title:46}");
        for (at, cell) in cells.iter().enumerate() {
            let bar = if at == 2 || at == 6 { "| " } else { "" };
            write!(shown, "{bar}{cell:5}").unwrap();
        }
        writeln!(text, "{}", shown.trim_end()).unwrap();
    };
    line("", &COLUMNS.map(str::to_owned));
    for (title, letters) in rows {
        line(title, &Role::ALL.map(|role| cell(letters, role)));
    }
}

/// The matrix, and below it what domain.md's has no row for.
pub(super) fn text() -> String {
    let mut text = HEADER.to_owned();
    print(&mut text, &[of_people_and_cases(), of_tunnels_and_machines()].concat());
    text.push_str("\n  Beside domain.md C.2, which has no rows for these:\n\n");
    print(&mut text, &beside());
    text
}
