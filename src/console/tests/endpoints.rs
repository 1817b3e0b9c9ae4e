//! Every route of the table, asked by nobody, by a stranger who holds every role in a company of
//! his own, and by the right person.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::world::{PASSWORD, World};
use crate::{
    clock::Now,
    console::routes::{OpenTo, Route, table},
    ids::KeyDigest,
    store::SessionAsk,
    tls::NewKey,
};

/// Routes about nothing of one company: the stranger is answered, with what is his. May only
/// shrink.
const NOT_ABOUT_AN_OBJECT: &[(&str, &str)] = &[
    ("POST", "/api/v1/logout"),
    ("GET", "/api/v1/me"),
    ("POST", "/api/v1/me/certificate"),
    ("GET", "/api/v1/cases"),
    ("GET", "/api/v1/access-requests"),
    ("GET", "/api/v1/sessions"),
    ("GET", "/api/v1/assets"),
    ("POST", "/api/v1/assets"),
    ("GET", "/api/v1/devices"),
    ("POST", "/api/v1/devices"),
    ("GET", "/api/v1/facilities"),
    ("POST", "/api/v1/facilities"),
    ("GET", "/api/v1/machine-models"),
    ("POST", "/api/v1/machine-models"),
    ("GET", "/api/v1/users"),
    ("POST", "/api/v1/users"),
    ("GET", "/api/v1/me/tokens"),
    ("POST", "/api/v1/me/tokens"),
    ("GET", "/api/v1/tenant"),
    ("PATCH", "/api/v1/tenant"),
    ("GET", "/api/v1/tenant/settings"),
    ("PUT", "/api/v1/tenant/settings"),
    ("GET", "/api/v1/roles"),
    ("POST", "/api/v1/roles"),
    ("GET", "/api/v1/invitations"),
    ("POST", "/api/v1/invitations"),
    ("GET", "/api/v1/service-organisations"),
    ("POST", "/api/v1/service-organisations"),
    ("GET", "/api/v1/customers"),
    ("GET", "/api/v1/machines"),
    ("GET", "/api/v1/links"),
    ("GET", "/api/v1/groups"),
    ("POST", "/api/v1/groups"),
    ("GET", "/api/v1/group-duties"),
    ("GET", "/api/v1/workspaces"),
    ("GET", "/api/v1/organisations"),
    ("POST", "/api/v1/organisations"),
    ("GET", "/api/v1/me/notifications"),
    ("PUT", "/api/v1/me/notifications"),
    ("GET", "/api/v1/webhooks"),
    ("POST", "/api/v1/webhooks"),
    ("POST", "/api/v1/imports/users"),
    ("POST", "/api/v1/imports/assets"),
];

/// Routes that name another company's object in a field: refused by the field's name. May only
/// shrink.
const REFUSED_BY_FIELD: &[(&str, &str)] = &[("POST", "/api/v1/customers")];

/// Routes that are answered to every colleague, with what is theirs to see: of all this nothing. May
/// only shrink.
const OPEN_TO_COLLEAGUES: &[(&str, &str)] = &[
    ("POST", "/api/v1/logout"),
    ("GET", "/api/v1/me"),
    ("POST", "/api/v1/me/certificate"),
    ("GET", "/api/v1/me/tokens"),
    ("GET", "/api/v1/me/notifications"),
    ("PUT", "/api/v1/me/notifications"),
    ("GET", "/api/v1/tenant"),
    ("GET", "/api/v1/tenant/settings"),
    ("GET", "/api/v1/cases"),
    ("GET", "/api/v1/access-requests"),
    ("GET", "/api/v1/sessions"),
    ("GET", "/api/v1/assets"),
    ("GET", "/api/v1/customers"),
    ("GET", "/api/v1/machines"),
    ("GET", "/api/v1/links"),
    // The names of a company's groups and organisations are known within it.
    ("GET", "/api/v1/groups"),
    ("GET", "/api/v1/groups/{group}"),
    ("GET", "/api/v1/group-duties"),
    ("GET", "/api/v1/workspaces"),
    ("GET", "/api/v1/organisations"),
    ("GET", "/api/v1/organisations/{organisation}"),
];

/// Words of which the stranger must see none.
const FOREIGN: &[&str] = &[
    "press-7",
    "Press 7",
    "edge-7",
    "CASE-",
    "wanda",
    "emil",
    "tina",
    "op.example",
    "P-0007",
    "p-700",
    "P-700",
    "hall-2",
    "Desk of",
    "Floor of",
    "Line of",
    "of op",
    "of sp",
    "machine-",
];

/// What stands around the operator's cases: a group with milo as dispatcher, a workspace of wanda's
/// with CASE-1 in it, an organisation of milo's that wanda answers for.
const AROUND: &str = "
    INSERT INTO resource_groups VALUES ('desk', 'op', 'Desk of op', NULL, '{}');
    INSERT INTO group_duties VALUES ('milo', 'dispatch');
    INSERT INTO workspaces VALUES ('floor', 'op', 'Floor of op');
    INSERT INTO workspace_members VALUES ('floor', 'wanda', 'administrator', '[]');
    INSERT INTO workspace_members VALUES ('floor', 'emil', 'staff', '[]');
    INSERT INTO workspace_cases VALUES ('CASE-1', 'op', 'floor');
    INSERT INTO case_roles VALUES ('floor-viewer', 'floor', 'Watcher', '[\"read\"]');
    INSERT INTO organisations VALUES ('line', 'op', 'Line of op', 'own_only', 0, 0, 0, 0, NULL);
    INSERT INTO organisation_members VALUES ('line', 'milo', 'own_only');
    INSERT INTO organisation_approvers VALUES ('line', 'wanda');
";

/// As [`right`], for what is set up about machines.
fn right_about_machines(route: &Route, tunnel: &Value) -> Option<(&'static str, Value)> {
    Some(match (route.method.as_str(), route.path) {
        ("PATCH", "/api/v1/assets/{asset}") => ("wanda", json!({ "facility": "hall-2" })),
        ("PUT", "/api/v1/assets/{asset}/active") => ("wanda", json!({ "active": false })),
        ("POST", "/api/v1/assets/{asset}/tunnels/{tunnel}/confirm") => {
            ("wanda", json!({ "revision": 0 }))
        }
        ("POST" | "PATCH", path) if path.starts_with("/api/v1/facilities") => {
            ("wanda", json!({ "name": "Hall 3" }))
        }
        ("POST" | "PUT", path)
            if path.ends_with("/tunnel-templates") || path.ends_with("{template}") =>
        {
            ("marc", tunnel.clone())
        }
        ("POST", "/api/v1/machine-models") | ("PUT", "/api/v1/machine-models/{model}") => {
            ("marc", json!({ "name": "P 900", "brand": "Brandt" }))
        }
        (_, path) if path.starts_with("/api/v1/machine-models") => ("marc", Value::Null),
        ("PUT", "/api/v1/machines/{machine}/model") => ("clara", json!({ "model": "p-700" })),
        (_, _) => return None,
    })
}
/// What the companies keep of one another and of themselves: a role and an invitation of the
/// operator's (its token is `invited`), a token of dora's, a customer of the provider's without a
/// company, a machine that is proposed to the operator and one that is not.
const BETWEEN: &str = "
    INSERT INTO individual_roles VALUES ('night', 'op', 'Night of op', '[\"read_shared\"]');
    INSERT INTO invitations VALUES ('invited-1', 'MHEo_001p-K4eQnOv9LD_fJLQS_MGpeNKG_6RrfDJUY', 'op', NULL,
        'ines@op.example', '[]', 0, 9999999999999, NULL);
    INSERT INTO api_tokens VALUES ('token-1', 'dora', 'export', 'x', 0, 9999999999999);
    INSERT INTO customers VALUES ('sp', 'fresh', 'org-sp', 'Fresh of sp', NULL);
    INSERT INTO machines (id, provider, customer, serial, link, asset)
        VALUES ('machine-8', 'sp', 'op', 'P-0007', 'proposed', 'press-7');
    INSERT INTO machines (id, provider, customer, serial, link, asset)
        VALUES ('machine-9', 'sp', 'op', 'P-0009', 'new', NULL);
";

/// Who is right for a route, and what they send.
fn right(route: &Route) -> (&'static str, Value) {
    let tunnel = json!({
        "name": "hmi", "kind": "ssc",
        "targets": [{ "name": "hmi", "host": "10.0.0.2", "port": 80 }],
    });
    right_about_machines(route, &tunnel)
        .or_else(|| right_about_cases(route))
        .or_else(|| right_about_assets(route, &tunnel))
        .or_else(|| right_around_cases(route))
        .or_else(|| right_about_companies(route))
        .unwrap_or(("wanda", Value::Null))
}

/// The same for coming in, and for cases.
fn right_about_cases(route: &Route) -> Option<(&'static str, Value)> {
    Some(match (route.method.as_str(), route.path) {
        ("POST", "/api/v1/login") => {
            ("wanda", json!({ "email": "wanda@op.example", "password": PASSWORD }))
        }
        ("POST", "/api/v1/me/certificate") => {
            ("stan", json!({ "csr": NewKey::generate().unwrap().request_pem().unwrap() }))
        }
        ("POST", "/api/v1/cases") => (
            "emil",
            json!({
                "type": "operator_internal", "asset": "press-7", "title": "It squeaks",
                "severity": "degraded",
            }),
        ),
        ("PUT", "/api/v1/cases/by-external-id/{external_id}") => (
            "emil",
            json!({
                "type": "operator_internal", "asset": "press-7", "title": "It squeaks",
                "severity": "degraded",
            }),
        ),
        ("PATCH", "/api/v1/cases/{case}") => ("stan", json!({ "state": "in_progress" })),
        ("PUT", "/api/v1/cases/{case}/remote-access")
        | ("PUT", "/api/v1/assets/{asset}/remote-access") => ("wanda", json!({ "on": true })),
        ("POST", "/api/v1/cases/{case}/messages") => {
            ("wanda", json!({ "text": "Heard it?", "mentions": ["stan"] }))
        }
        ("POST", "/api/v1/cases/{case}/access-requests") => {
            ("stig", json!({ "reason": "look at the valve", "for": 14_400 }))
        }
        ("DELETE", "/api/v1/cases/{case}/access-requests/{request}") => ("stan", Value::Null),
        ("PUT", "/api/v1/cases/{case}/access-requests/{request}/answer") => {
            ("wanda", json!({ "grant": true }))
        }
        ("POST", "/api/v1/cases/{case}/explain") => ("stan", json!({ "tunnel": "plc" })),
        ("GET" | "DELETE", path) if path.starts_with("/api/v1/sessions") => ("stan", Value::Null),
        (_, _) => return None,
    })
}

/// The same for assets, devices and people.
fn right_about_assets(route: &Route, tunnel: &Value) -> Option<(&'static str, Value)> {
    Some(match (route.method.as_str(), route.path) {
        ("POST", "/api/v1/assets") => ("wanda", json!({ "name": "Mixer", "serial": "M-1" })),
        ("PUT", "/api/v1/assets/{asset}/device") => ("wanda", json!({ "device": null })),
        ("POST", "/api/v1/assets/{asset}/tunnels")
        | ("PUT", "/api/v1/assets/{asset}/tunnels/{tunnel}") => ("wanda", tunnel.clone()),
        ("POST", "/api/v1/devices") => ("wanda", json!({ "name": "Edge 8" })),
        ("POST", "/api/v1/users") => (
            "tina",
            json!({ "email": "new@mail.example", "name": "New", "password": "long enough" }),
        ),
        ("PUT", "/api/v1/users/{user}/active") => ("tina", json!({ "active": false })),
        ("POST", "/api/v1/users/{user}/assignments") => {
            ("tina", json!({ "role": "workshop_manager" }))
        }
        (_, _) => return None,
    })
}

/// The same for groups, workspaces and organisations.
fn right_around_cases(route: &Route) -> Option<(&'static str, Value)> {
    Some(match (route.method.as_str(), route.path) {
        ("PUT", "/api/v1/cases/{case}/group") => ("milo", json!({ "group": "desk" })),
        ("PUT", "/api/v1/cases/{case}/efforts/{session}") => ("stan", json!({ "counts": true })),
        ("PUT", "/api/v1/cases/{case}/participants/{user}") => {
            ("wanda", json!({ "role": "staff" }))
        }
        ("PUT", "/api/v1/cases/{case}/organisation") => ("milo", json!({ "organisation": "line" })),
        ("POST", "/api/v1/groups") => ("tina", json!({ "name": "Night shift" })),
        ("PATCH", "/api/v1/groups/{group}") => ("tina", json!({ "name": "Late shift" })),
        ("DELETE", "/api/v1/groups/{group}") => ("tina", Value::Null),
        ("PUT", "/api/v1/groups/{group}/members/{user}") => ("tina", json!({ "access": "read" })),
        ("DELETE", "/api/v1/groups/{group}/members/{user}") => ("tina", Value::Null),
        ("PUT", "/api/v1/group-duties/{user}") => ("tina", json!({ "duties": ["dispatch"] })),
        ("POST", "/api/v1/workspaces") => ("wanda", json!({ "name": "Presses", "case": "CASE-1" })),
        ("PUT", "/api/v1/workspaces/{workspace}/members/{user}") => {
            ("wanda", json!({ "user_type": "staff" }))
        }
        ("POST" | "PUT", path) if path.contains("case-roles") => {
            ("wanda", json!({ "name": "Viewer", "rights": ["read"] }))
        }
        ("POST", "/api/v1/organisations") => {
            ("tina", json!({ "name": "Paint shop", "domains": ["paint.example"] }))
        }
        ("PATCH", "/api/v1/organisations/{organisation}") => {
            ("wanda", json!({ "setting": "view" }))
        }
        ("PUT", "/api/v1/organisations/{organisation}/members/{user}") => {
            ("wanda", json!({ "sees": "organisation" }))
        }
        (_, _) => return None,
    })
}

/// The same for what a company arranges within itself and with others.
fn right_about_companies(route: &Route) -> Option<(&'static str, Value)> {
    Some(match (route.method.as_str(), route.path) {
        ("POST", "/api/v1/webhooks") => {
            ("tina", json!({ "url": "https://tickets.example/in", "kinds": ["case.created"] }))
        }
        ("PATCH", "/api/v1/webhooks/{hook}") => ("tina", json!({ "enabled": true })),
        ("PUT", "/api/v1/me/notifications") => ("milo", json!({ "case_assigned": false })),
        // A text is sent as CSV.
        ("POST", "/api/v1/imports/users") => ("tina", json!("email,name\nx@y.example,X\n")),
        ("POST", "/api/v1/imports/assets") => ("wanda", json!("serial,name\nM-9,Mixer\n")),
        (_, path) if path.starts_with("/api/v1/webhooks") => ("tina", Value::Null),
        ("POST", "/api/v1/me/tokens") => ("dora", json!({ "name": "report" })),
        (_, path) if path.starts_with("/api/v1/me/tokens") => ("dora", Value::Null),
        ("POST", "/api/v1/users/{user}/tokens") => ("tina", json!({ "name": "report" })),
        ("PATCH", "/api/v1/tenant") => ("tina", json!({ "name": "Operator Ltd" })),
        ("PUT", "/api/v1/tenant/settings") => {
            ("tina", json!({ "internal_service_switches": false, "case_reader": "nobody" }))
        }
        ("POST", "/api/v1/roles") | ("PUT", "/api/v1/roles/{role}") => {
            ("tina", json!({ "name": "Reader", "permissions": ["sign_in", "read_shared"] }))
        }
        ("POST", "/api/v1/invitations/accept") => {
            ("tina", json!({ "token": "invited", "name": "Ines", "password": "long enough" }))
        }
        ("POST", "/api/v1/invitations") => ("tina", json!({ "email": "ida@mail.example" })),
        ("POST", "/api/v1/service-organisations") => ("carla", json!({ "name": "North" })),
        ("POST", "/api/v1/customers") => {
            ("carla", json!({ "organisation": "org-sp", "name": "Mills" }))
        }
        ("PATCH", "/api/v1/customers/{customer}") => ("carla", json!({ "name": "Mills" })),
        ("POST", "/api/v1/customers/{customer}/invitation") => {
            ("carla", json!({ "email": "max@mills.example" }))
        }
        ("POST", "/api/v1/machines") => ("carla", json!({ "customer": "fresh", "serial": "P-1" })),
        ("POST", "/api/v1/links") => ("carla", json!({ "machine": "machine-9" })),
        ("PUT", "/api/v1/links/{machine}") => ("wanda", json!({ "accept": false })),
        ("GET", "/api/v1/service-organisations" | "/api/v1/customers" | "/api/v1/machines") => {
            ("carla", Value::Null)
        }
        (_, path) if path.starts_with("/api/v1/roles") => ("tina", Value::Null),
        (_, path) if path.starts_with("/api/v1/invitations") => ("tina", Value::Null),
        (_, path) if path.starts_with("/api/v1/users") => ("tina", Value::Null),
        (_, _) => return None,
    })
}

/// The path with ids of the operator's company.
fn filled(route: &Route, made: &Made) -> String {
    let path = route
        .path
        .replace("{case}", "CASE-1")
        .replace("{external_id}", "HD-17")
        .replace("{asset}", "press-7")
        .replace("{tunnel}", "press-7-plc")
        .replace("{device}", "edge-7")
        .replace("{facility}", "hall-2")
        .replace("{model}", "p-700")
        .replace("{template}", "p-700-cam")
        .replace("{machine}", "machine-7")
        .replace("{user}", "emil")
        .replace("{assignment}", "emil-0")
        .replace("{hook}", "op-hook")
        .replace("{session}", &made.session)
        .replace("{request}", &made.request)
        .replace("{group}", "desk")
        .replace("{workspace}", "floor")
        .replace("{role}", "floor-viewer")
        .replace("{organisation}", "line")
        .replace("{invitation}", "invited-1")
        .replace("{customer}", "fresh")
        .replace("{machine}", "machine-8")
        .replace("{token}", "token-1");
    let path = match route.path {
        "/api/v1/organisations/{organisation}/members/{user}" => path.replace("emil", "milo"),
        "/api/v1/links/{machine}" => path.replace("machine-7", "machine-8"),
        "/api/v1/roles/{role}" => path.replace("floor-viewer", "night"),
        "/api/v1/users/{user}/tokens" | "/api/v1/users/{user}/tokens/{token}" => {
            path.replace("emil", "dora")
        }
        _ => path,
    };
    assert!(!path.contains('{'), "no example for {}", route.path);
    if route.path == "/api/v1/audit" { format!("{path}?case=CASE-1") } else { path }
}

/// Ids that the gateway chose.
struct Made {
    session: String,
    request: String,
}

/// A world with a session of stan's, granted by the shared case, and a request of his that the
/// switch, off again, be turned on.
async fn world() -> (World, Made) {
    let world = World::start().await;
    world.switch_on("CASE-1").await;
    let _online = world.registry.arrive(&"edge-7".parse().unwrap());
    let ask = SessionAsk {
        who: "stan".parse().unwrap(),
        key: KeyDigest([9; 32]),
        source_ip: None,
        via: crate::authz::Via::Case("CASE-1".parse().unwrap()),
        tunnel: "plc".parse().unwrap(),
        door: crate::authz::Door::Native,
        want: crate::authz::Want::Control,
        reason: None,
        gateway: "gateway-1".parse().unwrap(),
    };
    let requested = world.store.request_session(&ask, Now::read()).await.unwrap();
    // Over, as far as the rows say: the broker never heard of it.
    let ended = crate::store::Ended {
        session: requested.session.clone(),
        cause: crate::audit::EndCause::UserClosed,
        at: Now::read().wall,
        up: 1,
        down: 2,
        by: None,
    };
    world.store.end_session(&ended).await.unwrap();
    let effort = format!(
        "INSERT INTO efforts VALUES ('{}', 'CASE-1', 'stan', 'sp', 1, 2, 0)",
        requested.session
    );
    world.store.plant(AROUND.to_owned() + BETWEEN + &effort).await;
    let hook = crate::store::NewHook {
        id: Some("op-hook".parse().unwrap()),
        name: "Tickets".into(),
        url: "https://tickets.op.example/in".parse().unwrap(),
        kinds: Vec::new(),
    };
    let by = crate::store::By { person: "tina".parse().unwrap(), source_ip: None };
    world.store.create_hook(&by, &hook, Now::read()).await.unwrap();
    let case = "/api/v1/cases/CASE-1";
    let off = json!({ "on": false });
    world.done("wanda", Method::PUT, &format!("{case}/remote-access"), off).await;
    let ask = json!({ "reason": "once more" });
    let asked = world.done("stan", Method::POST, &format!("{case}/access-requests"), ask).await;
    let request = asked["id"].as_str().unwrap().to_owned();
    (world, Made { session: requested.session.to_string(), request })
}

#[tokio::test]
async fn nobody_is_answered_only_where_anyone_is() {
    let (world, made) = world().await;
    for route in table() {
        let (_, body) = right(&route);
        let path = filled(&route, &made);
        let answer = world.ask(None, route.method.clone(), &path, body).await;
        let shown = format!("{} {path}: {} {}", route.method, answer.status, answer.text);
        match route.open_to {
            OpenTo::Anyone => assert!(answer.status.is_success(), "{shown}"),
            OpenTo::People => {
                assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{shown}");
                assert_eq!(answer.json["reason"], "unauthenticated", "{shown}");
            }
        }
    }
}

#[tokio::test]
async fn another_companys_person_finds_nothing_of_ours() {
    let (world, made) = world().await;
    for route in table().into_iter().filter(|route| route.open_to == OpenTo::People) {
        let (_, body) = right(&route);
        let path = filled(&route, &made);
        let answer = world.ask(Some("eve"), route.method.clone(), &path, body).await;
        let shown = format!("{} {path}: {} {}", route.method, answer.status, answer.text);
        if NOT_ABOUT_AN_OBJECT.contains(&(route.method.as_str(), route.path)) {
            assert!(answer.status.is_success(), "{shown}");
            for word in FOREIGN {
                assert!(!answer.text.contains(word), "{word}: {shown}");
            }
        } else if REFUSED_BY_FIELD.contains(&(route.method.as_str(), route.path)) {
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{shown}");
            assert!(FOREIGN.iter().all(|word| !answer.text.contains(word)), "{shown}");
        } else {
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{shown}");
            assert_eq!(answer.json["reason"], "not_found", "{shown}");
        }
    }
}

/// nils of the operator and nina of the provider hold no role at all.
#[tokio::test]
async fn a_colleague_without_the_permission_is_refused_and_changes_nothing() {
    let (world, session) = world().await;
    let mut faults = Vec::new();
    for route in table().into_iter().filter(|route| route.open_to == OpenTo::People) {
        let (person, body) = right(&route);
        let colleague = if ["stan", "carla"].contains(&person) { "nina" } else { "nils" };
        let path = filled(&route, &session);
        let answer = world.ask(Some(colleague), route.method.clone(), &path, body).await;
        let good = if OPEN_TO_COLLEAGUES.contains(&(route.method.as_str(), route.path)) {
            let objects = ["press-7", "Press 7", "CASE-", "machine-", "fresh"];
            answer.status.is_success() && !objects.iter().any(|word| answer.text.contains(word))
        } else {
            [StatusCode::FORBIDDEN, StatusCode::NOT_FOUND].contains(&answer.status)
        };
        if !good {
            faults.push(format!("{colleague} {} {path}: {}", route.method, answer.status));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[tokio::test]
async fn what_is_not_there_and_what_is_not_yours_look_alike() {
    let (world, made) = world().await;
    for route in table().into_iter().filter(|route| route.path.contains('{')) {
        let (_, body) = right(&route);
        let path = filled(&route, &made);
        let nowhere = route
            .path
            .split('/')
            .map(|part| if part.starts_with('{') { "nowhere-1" } else { part })
            .collect::<Vec<_>>()
            .join("/");
        let not_yours = world.ask(Some("eve"), route.method.clone(), &path, body.clone()).await;
        let not_there = world.ask(Some("eve"), route.method.clone(), &nowhere, body).await;
        assert_eq!(not_yours.text, not_there.text, "{} {path}", route.method);
        assert_eq!(not_yours.headers, not_there.headers, "{} {path}", route.method);
    }
}

#[tokio::test]
async fn the_right_person_is_answered_on_every_route() {
    for route in table() {
        let (world, made) = world().await;
        let (person, body) = right(&route);
        let path = filled(&route, &made);
        let answer = world.ask(Some(person), route.method.clone(), &path, body).await;
        let shown = format!("{person} {} {path}: {} {}", route.method, answer.status, answer.text);
        assert!(answer.status.is_success(), "{shown}");
        assert_eq!(answer.headers["cache-control"], "no-store", "{shown}");
    }
}

#[tokio::test]
async fn an_unknown_path_and_an_unknown_method_are_problems_too() {
    let world = World::start().await;
    let nowhere = world.ask(None, Method::GET, "/api/v1/nowhere", Value::Null).await;
    assert_eq!(nowhere.status, StatusCode::NOT_FOUND);
    assert_eq!(nowhere.headers["content-type"], "application/problem+json");
    let method = world.ask(None, Method::DELETE, "/api/v1/cases", Value::Null).await;
    assert_eq!(method.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(method.json["reason"], "method");
}
