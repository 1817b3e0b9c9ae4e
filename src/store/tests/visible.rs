//! Visibility in SQL is visibility by policy: over random worlds, the list that a person gets is the
//! very set of cases for which `decide` allows reading.

use super::*;
use crate::{
    authz::Action,
    ids::{CaseId, FacilityId, PersonId},
    token::BearerToken,
};

/// Worlds in one database, each with companies of its own: they must not see each other's either.
const WORLDS_AT_ONCE: usize = 500;
const WORLDS: usize = 10_000;

/// Random numbers that repeat with their seed (SplitMix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % u64::try_from(sides).unwrap()).unwrap()
    }

    fn pick<T: Clone>(&mut self, some: &[T]) -> T {
        some[self.roll(some.len())].clone()
    }

    /// True but once in `often` times.
    fn mostly(&mut self, often: usize) -> bool {
        self.roll(often) > 0
    }
}

/// One person in a small world, and the cases of it.
struct Asked {
    who: PersonId,
    cases: Vec<CaseId>,
}

const COMPANIES: [&str; 3] = ["op", "sp", "both"];

/// Adds a world to the seed, and to the statements that follow it: three companies, two assets,
/// some machines, some cases, one asker.
fn world(n: usize, dice: &mut Dice, seed: &mut Seed, more: &mut String) -> Asked {
    let name = |what: &str| format!("w{n}-{what}");
    companies(n, dice, seed);
    let who: PersonId = name("asker").parse().unwrap();
    let home = name(dice.pick(&COMPANIES));
    seed.people.push(someone(&who, &home, dice.mostly(20)));
    seed.people.push(someone(&name("other").parse().unwrap(), &home, true));
    for number in 0..dice.roll(4) {
        seed.assignments.push(Assignment {
            id: name(&format!("role-{number}")).parse().unwrap(),
            person: who.clone(),
            role: dice.pick(&Role::ALL),
            scope: scope(n, dice),
        });
    }
    own_roles(n, &home, dice, more);
    customers(n, dice, more);
    for asset in ["a1", "a2"] {
        seed.assets.push(Asset {
            id: name(asset).parse().unwrap(),
            operator: name(dice.pick(&["op", "op", "both"])).parse().unwrap(),
            name: asset.to_owned(),
            serial: asset.to_owned(),
            facility: dice.pick(&[None, Some("f1"), Some("f2")]).map(|id| id.parse().unwrap()),
            active: dice.mostly(4),
            switch: Switch::default(),
            device: None,
        });
    }
    for number in 0..=dice.roll(3) {
        let asset = || name("a1").parse().unwrap();
        let links = [Link::New, Link::Proposed { asset: asset() }, Link::Linked { asset: asset() }];
        let link = if dice.mostly(3) { links[2].clone() } else { dice.pick(&links) };
        seed.machines.push(CustomerMachine {
            id: name(&format!("m{number}")).parse().unwrap(),
            provider: name(dice.pick(&["sp", "sp", "both"])).parse().unwrap(),
            customer: dice.pick(&["c1", "c2"]).parse().unwrap(),
            serial: "a1".to_owned(),
            link,
        });
    }
    let cases: Vec<CaseId> = (0..=dice.roll(4)).map(|number| case(n, number, dice, seed)).collect();
    // In half of the worlds, nothing but roles lets anybody read.
    if dice.roll(2) == 0 {
        groups(n, &home, &cases, dice, more);
        organisations(n, &home, &cases, dice, more);
    }
    Asked { who, cases }
}

/// Who else reads: by groups and duties, and by a role in a single case.
fn groups(n: usize, home: &str, cases: &[CaseId], dice: &mut Dice, more: &mut String) {
    for (group, parent) in [("g1", None), ("g2", Some("g1")), ("g3", Some("g2"))] {
        let parent = parent.map_or("NULL".to_owned(), |parent| format!("'w{n}-{parent}'"));
        *more += &format!(
            "INSERT INTO resource_groups VALUES ('w{n}-{group}', '{home}', '{group}', {parent}, '{{}}');"
        );
        for person in ["asker", "other"] {
            if dice.roll(3) > 0 {
                continue;
            }
            let access = dice.pick(&["read", "write"]);
            *more += &format!(
                "INSERT INTO group_members VALUES ('w{n}-{group}', 'w{n}-{person}', '{access}');"
            );
        }
    }
    for duty in ["dispatch", "read_all"].into_iter().filter(|_| dice.roll(6) == 0) {
        *more += &format!("INSERT INTO group_duties VALUES ('w{n}-asker', '{duty}');");
    }
    *more += &format!(
        "INSERT INTO workspaces VALUES ('w{n}-space', '{home}', 'space');\
         INSERT INTO case_roles VALUES ('w{n}-viewer', 'w{n}-space', 'viewer', '[]');"
    );
    for case in cases {
        if dice.roll(2) == 0 {
            let group = dice.pick(&["g1", "g2", "g3"]);
            *more += &format!(
                "INSERT INTO case_places (case_id, tenant, grp, since) \
                 SELECT c.id, '{home}', 'w{n}-{group}', 0 FROM cases c \
                 WHERE c.id = '{case}' AND '{home}' IN (c.operator, c.provider);"
            );
        }
        if dice.roll(5) == 0 {
            let role = dice.pick(&["bot", "client", "viewer", "gone"]);
            let role = if role == "viewer" { format!("w{n}-viewer") } else { role.to_owned() };
            *more += &format!(
                "INSERT INTO case_participants SELECT c.id, 'w{n}-asker', '{role}' FROM cases c \
                 WHERE c.id = '{case}' AND '{home}' IN (c.operator, c.provider);"
            );
        }
    }
}

/// Who else reads: by an organisation, or on a copy list.
fn organisations(n: usize, home: &str, cases: &[CaseId], dice: &mut Dice, more: &mut String) {
    for organisation in ["o1", "o2"] {
        let setting = dice.pick(&["own_only", "own_only", "view", "comment"]);
        let agreed = dice.roll(2);
        let wide = agreed * dice.roll(2);
        let (partner, managed) = (usize::from(dice.roll(3) == 0), usize::from(dice.roll(4) == 0));
        *more += &format!(
            "INSERT INTO organisations VALUES ('w{n}-{organisation}', '{home}', '{organisation}', \
             '{setting}', {partner}, {managed}, {agreed}, {wide}, NULL);"
        );
        if dice.roll(2) == 0 {
            let sees = dice.pick(&["own_only", "own_only", "organisation"]);
            *more += &format!(
                "INSERT INTO organisation_members \
                 VALUES ('w{n}-{organisation}', 'w{n}-asker', '{sees}');"
            );
        }
    }
    for case in cases {
        if dice.roll(2) == 0 {
            let organisation = dice.pick(&["o1", "o2"]);
            *more += &format!(
                "INSERT INTO case_organisations \
                 SELECT c.id, '{home}', 'w{n}-{organisation}' FROM cases c \
                 WHERE c.id = '{case}' AND '{home}' IN (c.operator, c.provider);"
            );
        }
        if dice.roll(5) == 0 {
            let by = dice.roll(2);
            *more += &format!(
                "INSERT INTO case_copies SELECT c.id, 'w{n}-asker', {by} FROM cases c \
                 WHERE c.id = '{case}' AND '{home}' IN (c.operator, c.provider);"
            );
        }
    }
}

/// Roles of the asker's company, some of which the asker holds, and what the company has set.
fn own_roles(n: usize, home: &str, dice: &mut Dice, more: &mut String) {
    let reader = dice.pick(&["customer_data_manager", "master_data_manager", "nobody"]);
    *more += &format!("UPDATE tenants SET case_reader = '{reader}' WHERE id = '{home}';");
    for number in 0..dice.roll(3) {
        let reads = ["read_shared", "read_operator_internal", "read_provider_internal", "chat"];
        let gives: Vec<&str> = reads.into_iter().filter(|_| dice.roll(2) > 0).collect();
        let gives = serde_json::to_string(&gives).unwrap();
        // Now and then one that another company made.
        let of = if dice.mostly(8) { home.to_owned() } else { format!("w{n}-sp") };
        *more += &format!(
            "INSERT INTO individual_roles (id, tenant, name, permissions) \
             VALUES ('w{n}-own{number}', '{of}', 'own{number}', '{gives}');"
        );
        let north = format!("w{n}-north");
        let (scope, objects) = dice.pick(&[
            ("whole", ""),
            ("facilities", "f1"),
            ("facilities", "f2"),
            ("customers", "c1"),
            ("customers", "c2"),
            ("service_organisations", north.as_str()),
        ]);
        *more += &format!(
            "INSERT INTO assignments (id, person, individual, scope) \
             VALUES ('w{n}-holds{number}', 'w{n}-asker', 'w{n}-own{number}', '{scope}');"
        );
        if !objects.is_empty() {
            *more += &format!(
                "INSERT INTO assignment_objects (assignment, object) \
                 VALUES ('w{n}-holds{number}', '{objects}');"
            );
        }
    }
}

fn companies(n: usize, dice: &mut Dice, seed: &mut Seed) {
    use TenantRole::{Basic, Operator, OperatorInternalService, ServiceProvider};
    for company in COMPANIES {
        let mut roles = BTreeSet::from([Basic]);
        let own: &[TenantRole] = match company {
            "op" => &[Operator, OperatorInternalService],
            "sp" => &[ServiceProvider],
            _ => &[Operator, OperatorInternalService, ServiceProvider],
        };
        roles.extend(own.iter().copied().filter(|_| dice.mostly(8)));
        seed.tenants.push(Tenant {
            id: format!("w{n}-{company}").parse().unwrap(),
            name: company.to_owned(),
            active: dice.mostly(20),
            roles,
        });
    }
}

fn someone(id: &PersonId, tenant: &str, active: bool) -> SeedPerson {
    let person = Person {
        id: id.clone(),
        tenant: tenant.parse().unwrap(),
        email: format!("{id}@mail.example"),
        name: id.to_string(),
        active,
    };
    SeedPerson { person, password_hash: None }
}

/// Which of a provider's organisations serves which customer.
fn customers(n: usize, dice: &mut Dice, more: &mut String) {
    for (provider, organisation) in [("sp", "north"), ("sp", "south"), ("both", "east")] {
        *more += &format!(
            "INSERT INTO service_organisations (id, provider, name) \
             VALUES ('w{n}-{organisation}', 'w{n}-{provider}', '{organisation}');"
        );
    }
    for customer in ["c1", "c2"] {
        for (provider, organisations) in [("sp", ["north", "south"]), ("both", ["east", "east"])] {
            let organisation = dice.pick(&organisations);
            *more += &format!(
                "INSERT INTO customers (provider, id, organisation, name) \
                 VALUES ('w{n}-{provider}', '{customer}', 'w{n}-{organisation}', '{customer}') \
                 ON CONFLICT (provider, id) DO UPDATE SET organisation = excluded.organisation;"
            );
        }
    }
}

fn scope(n: usize, dice: &mut Dice) -> Scope {
    let organisation = |name: &str| format!("w{n}-{name}").parse().unwrap();
    let facility = |id: &str| id.parse::<FacilityId>().unwrap();
    let customer = |id: &str| id.parse().unwrap();
    dice.pick(&[
        Scope::Whole,
        Scope::Whole,
        Scope::Facilities([facility("f1")].into()),
        Scope::Facilities([facility("f1"), facility("f2")].into()),
        Scope::Facilities(BTreeSet::new()),
        Scope::Customers([customer("c1")].into()),
        Scope::Customers([customer("c2"), customer("c1")].into()),
        Scope::ServiceOrganisations([organisation("north")].into()),
        Scope::ServiceOrganisations([organisation("south"), organisation("east")].into()),
    ])
}

/// A case; now and then of parties that the machine no longer has.
fn case(n: usize, number: usize, dice: &mut Dice, seed: &mut Seed) -> CaseId {
    let name = |what: &str| format!("w{n}-{what}");
    let asset = name(dice.pick(&["a1", "a1", "a2"]));
    let owner = seed.assets.iter().find(|one| one.id.as_str() == asset).unwrap().operator.clone();
    let operator =
        if dice.mostly(10) { owner } else { name(dice.pick(&COMPANIES)).parse().unwrap() };
    let provider = name(dice.pick(&["sp", "sp", "both"])).parse().unwrap();
    let (asset, switch) = (asset.parse().unwrap(), Switch::default());
    let kind = match dice.roll(4) {
        0 | 1 => Kind::Shared { operator, provider, asset, switch },
        2 => Kind::OperatorInternal { operator, asset, switch },
        _ => Kind::ProviderInternal { provider, machine: name("m0").parse().unwrap() },
    };
    let id: CaseId = name(&format!("case-{number}")).parse().unwrap();
    seed.cases.push(Case {
        id: id.clone(),
        title: String::new(),
        kind,
        state: State::New,
        created_by: name(dice.pick(&["asker", "other"])).parse().unwrap(),
        assignee: None,
        created_at: Wall(0),
        closed_at: None,
    });
    id
}

/// Makes the worlds of one seed and holds the two against each other; returns how many cases were
/// seen, so that the test cannot pass by seeing none.
async fn agree(start: u64, worlds: usize) -> usize {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("caseway.db");
    let limits = Limits { free_bytes_min: 0, ..Limits::default() };
    let store = Store::open(&path, Arc::new(Away::default()), limits).await.unwrap();
    let mut dice = Dice(start);
    let mut seed = Seed::default();
    let mut more = String::new();
    let asked: Vec<Asked> =
        (0..worlds).map(|n| world(n, &mut dice, &mut seed, &mut more)).collect();
    store.seed(&seed, &gateway(), Now::read()).await.unwrap();
    let mut writing = store.0.writer.begin().await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(more)).execute(&mut *writing).await.unwrap();
    writing.commit().await.unwrap();
    let page = Page { after: None, rows: PAGE_ROWS_MAX };
    let mut seen = 0;
    let mut reading = store.reading().await.unwrap();
    for Asked { who, cases } in &asked {
        let now = Now::read();
        let mut allowed = BTreeSet::new();
        for case in cases {
            let subject = Subject::case(who.clone(), case.clone());
            let action = Action::ReadCase(case.clone());
            if store.allows(&mut reading, &subject, action, now.wall).await.unwrap() {
                allowed.insert(case.clone());
            }
        }
        let listed = store.cases(who, &CaseFilter::default(), &page, now).await.unwrap();
        let listed: BTreeSet<CaseId> = listed.items.into_iter().map(|one| one.case.id).collect();
        assert_eq!(listed, allowed, "{who} of seed {start}");
        seen += allowed.len();
    }
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_list_of_a_person_is_what_decide_lets_that_person_read() {
    // The half of the seeds is fixed; the other is another one each time, and told on failure.
    let chance =
        u64::from_le_bytes(BearerToken::fresh().unwrap().digest()[..8].try_into().unwrap());
    let batches = u64::try_from(WORLDS / WORLDS_AT_ONCE).unwrap();
    let (mut running, mut seen) = (tokio::task::JoinSet::new(), 0);
    for batch in 0..batches {
        let start = if batch % 2 == 0 { batch } else { chance.wrapping_add(batch) };
        running.spawn(agree(start, WORLDS_AT_ONCE));
        if running.len() == 2 {
            seen += running.join_next().await.unwrap().unwrap();
        }
    }
    while let Some(done) = running.join_next().await {
        seen += done.unwrap();
    }
    assert!(seen > WORLDS / 10, "{seen} cases seen: the worlds tell nothing");
}
