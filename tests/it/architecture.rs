//! The plan of the house, held against the code.
//!
//! A single crate has no walls of its own; this file is the wall. It reads every file under `src/`
//! and fails on an import that [`PLAN`] does not have, an outside crate in the wrong room, a circle,
//! a `mod.rs`, a glob re-export, an oversized file or function, and a room without a header.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// A file's production lines at most.
const FILE_LINES_MAX: usize = 600;
/// A function's lines at most.
const FUNCTION_LINES_MAX: usize = 70;
/// `lib.rs` is a map.
const LIB_LINES_MAX: usize = 100;
/// A door only opens.
const DOOR_LINES_MAX: usize = 70;

/// Room, and the rooms that it may import. A room that is not here may not exist.
///
/// `ssh`, `shell` and `recording` are planned and not built yet.
const PLAN: &[(&str, &[&str])] = &[
    // 1 ground
    ("ids", &[]),
    ("secret", &[]),
    ("clock", &[]),
    ("tasks", &[]),
    ("telemetry", &[]),
    // 2 decisions: nouns
    ("tenancy", &["ids"]),
    ("cases", &["ids", "clock"]),
    // An asset has a switch of its own, the same thing that a case has.
    ("machines", &["ids", "cases"]),
    // The record of a flow names its destination.
    ("audit", &["ids", "clock", "tenancy", "machines"]),
    // Whether a case waits for somebody is its state.
    ("groups", &["ids", "clock", "cases"]),
    ("workspaces", &["ids"]),
    ("visibility", &["ids"]),
    ("token", &["ids", "secret"]),
    // The targets in a warrant are those of the tunnel config, not a copy of their shape.
    ("warrant", &["ids", "secret", "clock", "machines"]),
    ("registry", &["ids", "authz"]),
    ("notices", &["ids", "clock"]),
    // Tables that people import name roles and what these cover.
    ("imports", &["ids", "tenancy"]),
    // A message to a webhook tells of a record.
    ("hooks", &["ids", "secret", "clock", "audit"]),
    // 2 bytes
    ("relay", &["ids", "clock", "tasks"]),
    ("tls", &["ids", "secret", "clock"]),
    ("seal", &["ids", "tls", "relay", "secret", "clock"]),
    // 3 rooms
    ("wire", &["ids", "token", "warrant", "audit", "machines", "clock"]),
    ("transport", &["ids", "secret", "clock", "tls", "relay", "tasks", "wire", "token"]),
    ("shell", &["ids", "secret", "tasks"]),
    ("recording", &["ids", "clock"]),
    ("authz", &["ids", "clock", "tenancy", "machines", "cases", "audit"]),
    (
        "store",
        &[
            "ids",
            "secret",
            "clock",
            "tenancy",
            "machines",
            "cases",
            "groups",
            "workspaces",
            "visibility",
            "audit",
            "token",
            "authz",
            // What is told to the outside is written with its record; a table's rows together.
            "hooks",
            "notices",
            "imports",
        ],
    ),
    // 4 processes and the session machine
    (
        "session",
        &[
            "ids", "clock", "token", "machines", "audit", "authz", "relay", "warrant", "cases",
            "tenancy",
        ],
    ),
    (
        "agent",
        &[
            "ids",
            "secret",
            "clock",
            "tasks",
            "telemetry",
            "tls",
            "seal",
            "relay",
            "transport",
            "wire",
            "token",
            "warrant",
            "machines",
            "audit",
            "shell",
        ],
    ),
    // The names of roles are typed at the client, as the API spells them.
    (
        "client",
        &[
            "ids",
            "secret",
            "clock",
            "tasks",
            "telemetry",
            "tls",
            "seal",
            "relay",
            "transport",
            "wire",
            "token",
            "machines",
            "tenancy",
            "audit",
        ],
    ),
    // 5 beam
    (
        "broker",
        &[
            "ids", "secret", "clock", "tasks", "tenancy", "machines", "cases", "audit", "token",
            "warrant", "registry", "authz", "store", "session", "relay",
        ],
    ),
    // 6 faces
    (
        "peers",
        &[
            "ids",
            "secret",
            "clock",
            "tasks",
            "token",
            "warrant",
            "wire",
            "relay",
            "transport",
            "tls",
            "broker",
            "session",
            "store",
            "authz",
            "audit",
            "machines",
        ],
    ),
    ("ssh", &["ids", "secret", "relay", "seal", "recording", "broker", "tasks"]),
    (
        "console",
        &[
            "ids",
            "secret",
            "clock",
            "tasks",
            // The person behind a request is found by the digest of a bearer token.
            "token",
            "tenancy",
            "machines",
            "cases",
            "groups",
            "workspaces",
            "visibility",
            "audit",
            "authz",
            "store",
            "relay",
            "seal",
            "recording",
            "broker",
            "session",
            "tls",
            "hooks",
            "notices",
            "imports",
        ],
    ),
    // A tenant chooses where its messages go: what reaches out for it stands apart.
    ("webhooks", &["clock", "tls", "hooks"]),
    ("mail", &["secret", "hooks"]),
    // 7 processes
    (
        "gateway",
        &[
            "ids",
            "secret",
            "clock",
            "tasks",
            "telemetry",
            "tenancy",
            "machines",
            "cases",
            "audit",
            "token",
            "warrant",
            "registry",
            "relay",
            "tls",
            "seal",
            "wire",
            "transport",
            "authz",
            "store",
            "session",
            "broker",
            "peers",
            "console",
            "hooks",
            "webhooks",
            "mail",
        ],
    ),
    (
        "demo",
        &[
            "ids",
            "secret",
            "clock",
            "tasks",
            "tenancy",
            "machines",
            "cases",
            "audit",
            "tls",
            "warrant",
            "authz",
            "store",
            "transport",
            "console",
            "agent",
            "gateway",
            "telemetry",
        ],
    ),
    // 8 paper
    // A ceiling's rules are ports and protocols, as the machines' targets are.
    (
        "config",
        &[
            "ids",
            "secret",
            "clock",
            "telemetry",
            "machines",
            "tls",
            "transport",
            "agent",
            "gateway",
            "client",
            "mail",
        ],
    ),
];

/// What a door may import.
const DOOR: &[&str] = &["config", "telemetry", "gateway", "agent", "client", "demo", "tasks"];

/// Outside crate, and the only rooms that may name it.
const OWNERS: &[(&str, &[&str])] = &[
    ("quinn", &["transport"]),
    ("tokio_rustls", &["transport", "seal", "tls"]),
    ("rustls", &["tls", "transport", "seal"]),
    ("rcgen", &["tls"]),
    ("rustls_native_certs", &["tls"]),
    ("x509_parser", &["tls"]),
    ("russh", &["ssh", "shell"]),
    ("sqlx", &["store"]),
    ("axum", &["console"]),
    ("tower", &["console"]),
    ("hyper", &["console", "client", "demo", "webhooks"]),
    ("hyper_util", &["console", "client", "demo", "webhooks"]),
    ("http_body_util", &["console", "client", "demo", "webhooks"]),
    ("cedar_policy", &["authz"]),
    ("tracing_subscriber", &["telemetry"]),
    ("argon2", &["console"]),
    ("subtle", &["secret"]),
    ("zeroize", &["secret"]),
    ("getrandom", &["secret"]),
    ("toml", &["config"]),
    ("jiff", &["clock", "config", "client", "groups"]),
    ("fast_socks5", &["client"]),
    ("rpassword", &["client"]),
    ("tokio_modbus", &["demo"]),
    ("embedded_graphics", &["demo"]),
    ("aws_lc_rs", &["seal", "tls", "token", "warrant", "audit", "store", "demo", "hooks"]),
    ("lettre", &["mail"]),
    ("csv", &["imports"]),
    ("anyhow", &["bin"]),
    ("tikv_jemallocator", &["bin"]),
];

/// Names that say nothing.
const NO_ROOM: &[&str] = &["common", "utils", "helpers", "types", "errors", "manager", "core"];

struct Source {
    path: PathBuf,
    room: String,
    /// Production code: comments, strings and tests taken out, line breaks kept.
    code: String,
    whole: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let inside = path.strip_prefix(&root).unwrap();
                let first = inside.components().next().unwrap();
                let room = Path::new(&first).file_stem().unwrap().to_str().unwrap().to_owned();
                let whole = fs::read_to_string(&path).unwrap();
                let code = production(&path, &whole);
                found.push(Source { path: inside.to_owned(), room, code, whole });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(found.len() > 30, "the sources are not where this test looks");
    found
}

fn is_test_file(path: &Path) -> bool {
    path.components().any(|part| {
        let part = part.as_os_str().to_str().unwrap();
        part == "tests" || part == "tests.rs" || part.ends_with("_tests.rs")
    })
}

/// The code without comments, string contents and `#[cfg(test)]` items.
fn production(path: &Path, whole: &str) -> String {
    if is_test_file(path) {
        return String::new();
    }
    let bare = without_comments_and_strings(whole);
    let mut kept = String::new();
    let mut rest = bare.as_str();
    while let Some(at) = rest.find("#[cfg(test)]") {
        kept.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = item_end(rest);
        rest = &rest[end..];
    }
    kept.push_str(rest);
    kept
}

/// Where the item that `text` begins with ends: after its `;` or its closing brace.
fn item_end(text: &str) -> usize {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            ';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn without_comments_and_strings(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let chars: Vec<char> = text.chars().collect();
    let mut at = 0;
    while at < chars.len() {
        let next = chars.get(at + 1).copied();
        match (chars[at], next) {
            ('/', Some('/')) => {
                while at < chars.len() && chars[at] != '\n' {
                    at += 1;
                }
            }
            ('/', Some('*')) => {
                while at < chars.len() && !(chars[at] == '*' && chars.get(at + 1) == Some(&'/')) {
                    if chars[at] == '\n' {
                        out.push('\n');
                    }
                    at += 1;
                }
                at += 2;
            }
            ('r', Some('"' | '#')) if !previous_is_word(&chars, at) && raw_string(&chars, at) => {
                let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
                at += 2 + hashes;
                while at < chars.len() {
                    let closes = chars[at] == '"'
                        && chars[at + 1..].iter().take_while(|c| **c == '#').count() >= hashes;
                    if chars[at] == '\n' {
                        out.push('\n');
                    }
                    at += 1;
                    if closes {
                        at += hashes;
                        break;
                    }
                }
                out.push_str("\"\"");
            }
            ('"', _) => {
                at += 1;
                while at < chars.len() && chars[at] != '"' {
                    if chars[at] == '\\' {
                        at += 1;
                    }
                    if chars.get(at) == Some(&'\n') {
                        out.push('\n');
                    }
                    at += 1;
                }
                at += 1;
                out.push_str("\"\"");
            }
            ('\'', Some('\\')) => {
                at += 2;
                while at < chars.len() && chars[at] != '\'' {
                    at += 1;
                }
                at += 1;
                out.push_str("' '");
            }
            ('\'', Some(_)) if chars.get(at + 2) == Some(&'\'') => {
                at += 3;
                out.push_str("' '");
            }
            (c, _) => {
                out.push(c);
                at += 1;
            }
        }
    }
    out
}

fn previous_is_word(chars: &[char], at: usize) -> bool {
    at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_')
}

fn raw_string(chars: &[char], at: usize) -> bool {
    chars[at + 1..].iter().find(|c| **c != '#') == Some(&'"')
}

/// Each name that follows `prefix` as a whole path segment, groups in braces opened one level.
fn names_after(code: &str, prefix: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices(prefix) {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$') {
            continue;
        }
        let line = code[..at].matches('\n').count() + 1;
        let rest = &code[at + prefix.len()..];
        if let Some(group) = rest.strip_prefix('{') {
            found.extend(group_heads(group).into_iter().map(|name| (line, name)));
        } else {
            found.push((line, word(rest)));
        }
    }
    found
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

fn group_heads(group: &str) -> Vec<String> {
    let mut heads = Vec::new();
    let mut depth = 0_usize;
    let mut fresh = true;
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => fresh = true,
            c if fresh && depth == 0 && !c.is_whitespace() => {
                heads.push(word(&group[at..]));
                fresh = false;
            }
            _ => {}
        }
    }
    heads
}

fn plan() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    PLAN.iter().map(|(room, may)| (*room, may.iter().copied().collect())).collect()
}

fn report(what: &str, faults: &[String]) {
    assert!(faults.is_empty(), "{what}:\n{}", faults.join("\n"));
}

#[test]
fn rooms_import_only_what_the_plan_allows() {
    let plan = plan();
    let mut faults = Vec::new();
    for source in sources() {
        let (prefix, allowed) = match source.room.as_str() {
            "lib" => continue,
            "bin" => ("caseway::", DOOR.iter().copied().collect()),
            room => match plan.get(room) {
                Some(allowed) => ("crate::", allowed.clone()),
                None => {
                    faults.push(format!("{}: no room `{room}` in the plan", source.path.display()));
                    continue;
                }
            },
        };
        for (line, to) in names_after(&source.code, prefix) {
            if to != source.room && !to.is_empty() && !allowed.contains(to.as_str()) {
                let path = source.path.display();
                faults.push(format!("{path}:{line}: `{}` may not import `{to}`", source.room));
            }
        }
    }
    report("change the design, or the plan", &faults);
}

#[test]
fn an_outside_crate_is_named_only_by_the_room_that_hides_it() {
    let mut faults = Vec::new();
    for source in sources() {
        for (name, rooms) in OWNERS {
            for (line, _) in names_after(&source.code, &format!("{name}::")) {
                let line_text = source.code.lines().nth(line - 1).unwrap_or_default();
                let inside_own_path = line_text.contains(&format!("::{name}::"));
                if !inside_own_path && !rooms.contains(&source.room.as_str()) {
                    let path = source.path.display();
                    faults.push(format!("{path}:{line}: only {rooms:?} may name `{name}`"));
                }
            }
        }
    }
    report("an outside crate is out of its room", &faults);
}

#[test]
fn the_plan_itself_has_no_circle() {
    let mut left = plan();
    loop {
        let done: Vec<&str> = left
            .iter()
            .filter(|(_, needs)| needs.iter().all(|need| !left.contains_key(need)))
            .map(|(room, _)| *room)
            .collect();
        if done.is_empty() {
            break;
        }
        for room in done {
            left.remove(room);
        }
    }
    assert!(left.is_empty(), "these rooms need each other: {:?}", left.keys());
}

#[test]
fn every_room_in_the_plan_names_only_rooms_in_the_plan() {
    let plan = plan();
    for (room, needs) in &plan {
        for need in needs {
            assert!(
                plan.contains_key(need),
                "`{room}` needs `{need}`, which the plan does not have"
            );
        }
        assert!(!NO_ROOM.contains(room), "`{room}` says nothing");
    }
}

#[test]
fn no_file_is_over_600_lines_and_no_function_over_70() {
    let mut faults = Vec::new();
    for source in sources() {
        let path = source.path.display();
        let lines = source.code.lines().filter(|line| !line.trim().is_empty()).count();
        let limit = match source.room.as_str() {
            "lib" => LIB_LINES_MAX,
            "bin" => DOOR_LINES_MAX,
            _ => FILE_LINES_MAX,
        };
        if lines > limit {
            faults.push(format!("{path}: {lines} lines, {limit} allowed"));
        }
        for (line, name, long) in functions(&source.code) {
            if long > FUNCTION_LINES_MAX {
                faults.push(format!("{path}:{line}: `{name}` has {long} lines"));
            }
        }
    }
    report("too long", &faults);
}

/// Line, name and length of each function with a body.
fn functions(code: &str) -> Vec<(usize, String, usize)> {
    let mut found = Vec::new();
    for (line, name) in names_after(code, "fn ") {
        let start: usize = code.split_inclusive('\n').take(line - 1).map(str::len).sum();
        let body = &code[start..];
        let opens = body.find('{').unwrap_or(body.len());
        if body.find(';').is_some_and(|semicolon| semicolon < opens) {
            continue;
        }
        let long = body[..item_end(body)].lines().filter(|text| !text.trim().is_empty()).count();
        found.push((line, name, long));
    }
    found
}

#[test]
fn every_file_begins_with_a_header_and_re_exports_by_name() {
    let mut faults = Vec::new();
    for source in sources() {
        let path = source.path.display();
        if !source.whole.starts_with("//!") {
            faults.push(format!("{path}: no header"));
        }
        if source.path.ends_with("mod.rs") {
            faults.push(format!("{path}: spell it room.rs"));
        }
        for (at, line) in source.code.lines().enumerate() {
            let line = line.trim();
            if line.starts_with("pub") && line.contains("use ") && line.contains("::*") {
                faults.push(format!("{path}:{}: a glob re-export", at + 1));
            }
        }
    }
    report("house rules", &faults);
}

#[test]
fn the_wall_notices_what_it_should() {
    let text = "use crate::{ids::A, store::{b, c}};\nfn f() { crate::wire::go(\"crate::x\"); } // crate::y\n";
    let code = production(Path::new("a.rs"), text);
    let names: Vec<String> = names_after(&code, "crate::").into_iter().map(|(_, n)| n).collect();
    assert_eq!(names, ["ids", "store", "wire"]);

    let long = format!("fn long() {{\n{}}}\n", "    go();\n".repeat(FUNCTION_LINES_MAX));
    assert_eq!(functions(&long)[0].2, FUNCTION_LINES_MAX + 2);

    let tested = "fn a() {}\n#[cfg(test)]\nmod tests { use crate::store::X; }\nfn b() {}\n";
    assert!(!production(Path::new("a.rs"), tested).contains("store"));
}
