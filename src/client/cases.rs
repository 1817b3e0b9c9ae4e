//! Cases: list, show, create, change; their switch, their tunnels, and why a tunnel would open.

mod talk;

use serde_json::{Map, Value, json};

use super::{
    Api, Exit, Failure, Here,
    api::{
        ApiError, CaseRow, Explanation, Me, Problem, Query, SwitchState, Switched, TunnelRow,
        escaped, hint, typed,
    },
    cli::{CaseCommand, CaseFilter, CreateCase, EditCase, OnOff, PutCase, SwitchChange},
    groups::resolve,
    show::{Clock, OneLine, Table},
};
use crate::{
    clock::Now,
    ids::{CaseId, Name},
};

impl Here {
    pub(super) async fn cases(&self, filter: CaseFilter) -> Result<(), Failure> {
        let api = self.api()?;
        let mut assignee = filter.assignee.map(String::from);
        if filter.mine {
            let me: Me = api.get("/me").await?;
            assignee = Some(me.person);
        }
        let open = match (filter.open, filter.closed) {
            (true, _) => Some("true"),
            (false, true) => Some("false"),
            (false, false) => None,
        };
        let switch = filter.switch.map(|to| if to == OnOff::On { "true" } else { "false" });
        let query = Query::default()
            .and_if("type", filter.kind.map(|kind| kind.code()))
            .and_if("state", filter.state.map(|state| state.code()))
            .and_if("open", open)
            .and_if("asset", filter.asset.as_ref().map(|asset| asset.as_str()))
            .and_if("assignee", assignee.as_deref())
            .and_if("severity", filter.severity.map(|severity| severity.code()))
            .and_if("switch", switch)
            .and_if("external_id", filter.external_id.as_deref())
            .and_if("q", filter.search.as_deref());
        let items = api.list("/cases", &query).await?;
        let clock = self.clock();
        let mut table = Table::new(HEADING, "no cases");
        for item in items {
            self.terminal.value(&item);
            let case: CaseRow = typed(item)?;
            table.row(case_cells(&case, &clock));
        }
        self.terminal.data(table);
        Ok(())
    }

    pub(super) async fn case(&self, command: CaseCommand) -> Result<(), Failure> {
        match command {
            CaseCommand::Show { case } => self.show_case(&case).await,
            CaseCommand::Create(create) => self.create_case(create).await,
            CaseCommand::Put(put) => self.put_case(put).await,
            CaseCommand::Edit(edit) => self.edit_case(edit).await,
            CaseCommand::State { case, state } => {
                self.change_case(&case, json!({"state": state.code()}), None).await
            }
            CaseCommand::Close { case } => {
                self.change_case(&case, json!({"state": "closed"}), None).await
            }
            CaseCommand::Reopen { case } => {
                self.change_case(&case, json!({"state": "in_progress"}), None).await
            }
            CaseCommand::Assign { case, person, nobody: _ } => {
                self.change_case(&case, json!({"assignee": person}), None).await
            }
            CaseCommand::Switch { case, change } => {
                self.switch(&format!("/cases/{case}"), case.as_str(), change).await
            }
            CaseCommand::Request(asking) => self.request(asking).await,
            CaseCommand::Requests { case, all } => self.requests(case.as_ref(), all).await,
            CaseCommand::Answer(answering) => self.answer(answering).await,
            CaseCommand::Say { case, text, mentions } => self.say(&case, &text, &mentions).await,
            CaseCommand::Messages { case } => self.messages(&case).await,
            CaseCommand::History { case } => self.history(&case).await,
        }
    }

    async fn show_case(&self, case: &CaseId) -> Result<(), Failure> {
        let api = self.api()?;
        let item: Value = api.get(&format!("/cases/{case}")).await?;
        self.terminal.value(&item);
        if self.terminal.is_json() {
            return Ok(());
        }
        let row: CaseRow = typed(item)?;
        self.terminal.data(case_page(&row, &self.clock()));
        match self.tunnel_rows(&api, case).await {
            Ok(rows) if !rows.is_empty() => {
                self.terminal.data(format_args!("\n{}", tunnel_table(rows)?));
            }
            Ok(_) => {}
            // The case itself was shown; that its tunnels are not for this reader is no failure.
            Err(ApiError::Problem(_)) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    async fn create_case(&self, create: CreateCase) -> Result<(), Failure> {
        let api = self.api()?;
        let body = case_body(&api, create).await?;
        let item: Value = api.post("/cases", &body).await?;
        self.said_of_case(&item);
        Ok(())
    }

    async fn put_case(&self, put: PutCase) -> Result<(), Failure> {
        let api = self.api()?;
        if put.create.about.external_id.is_some() {
            return Err(Failure::new(
                Exit::Usage,
                "the external id is said once: before the options",
            ));
        }
        let mut body = case_body(&api, put.create).await?;
        body.extend(put.state.map(|state| ("state".to_owned(), json!(state.code()))));
        let path = format!("/cases/by-external-id/{}", escaped(&put.known_as));
        let item: Value = api.put(&path, &body).await?;
        self.said_of_case(&item);
        Ok(())
    }

    fn said_of_case(&self, item: &Value) {
        self.terminal.value(item);
        let id = item.get("id").and_then(Value::as_str).unwrap_or("-");
        self.terminal.data(OneLine(id));
    }

    async fn edit_case(&self, edit: EditCase) -> Result<(), Failure> {
        let about = edit.about;
        let mut body = Map::new();
        let mut put = |key: &str, value: Option<Value>| {
            body.extend(value.map(|value| (key.to_owned(), value)));
        };
        put("title", edit.title.map(Value::from));
        put("description", about.description.map(Value::from));
        put("severity", about.severity.map(|severity| json!(severity.code())));
        put("priority", about.priority.map(|priority| json!(priority.code())));
        put("external_id", about.external_id.map(or_null));
        body.extend(contact(about.phone, about.email));
        if body.is_empty() {
            let what = "nothing to change; name a field, such as --title";
            return Err(Failure::new(Exit::Usage, what));
        }
        self.change_case(&edit.case, Value::Object(body), edit.if_revision).await
    }

    async fn change_case(
        &self,
        case: &CaseId,
        change: Value,
        revision: Option<u64>,
    ) -> Result<(), Failure> {
        let path = format!("/cases/{case}");
        let item: Value = self.api()?.patch_if(&path, revision, &change).await?;
        self.terminal.value(&item);
        if let Ok(row) = typed::<CaseRow>(item) {
            let assignee = row.assignee.as_ref().map_or("nobody", |who| who.name());
            let text = format!("{}: {}, assigned to {assignee}", row.id, row.state);
            self.terminal.data(OneLine(text));
        }
        Ok(())
    }

    /// Turns the switch of the case or asset at `path`.
    pub(super) async fn switch(
        &self,
        path: &str,
        name: &str,
        change: SwitchChange,
    ) -> Result<(), Failure> {
        let on = change.to == OnOff::On;
        if !on && change.lasting.is_some() {
            return Err(Failure::new(Exit::Usage, "--for goes with `on`")
                .hint("a switch that is off stays off until somebody turns it on"));
        }
        let until = change.lasting.map(|length| Now::read().wall.plus(length));
        let mut body = json!({"on": on});
        if let Some(fields) = body.as_object_mut() {
            fields.extend(until.map(|until| ("until".to_owned(), json!(until))));
            fields.extend(change.reason.map(|reason| ("reason".to_owned(), json!(reason))));
        }
        let item: Value = self.api()?.put(&format!("{path}/remote-access"), &body).await?;
        self.terminal.value(&item);
        let switched: Switched = typed(item)?;
        self.terminal.data(switched_line(name, &switched, &self.clock()));
        Ok(())
    }

    pub(super) async fn tunnels(&self, case: &CaseId) -> Result<(), Failure> {
        let rows = self.tunnel_rows(&self.api()?, case).await?;
        rows.iter().for_each(|row| self.terminal.value(row));
        self.terminal.data(tunnel_table(rows)?);
        Ok(())
    }

    pub(super) async fn tunnel_rows(
        &self,
        api: &Api,
        case: &CaseId,
    ) -> Result<Vec<Value>, ApiError> {
        api.list(&format!("/cases/{case}/tunnels"), &Query::default()).await
    }

    pub(super) async fn why(&self, case: &CaseId, tunnel: &Name) -> Result<(), Failure> {
        let path = format!("/cases/{}/explain", escaped(case.as_str()));
        let asked: Result<Value, ApiError> =
            self.api()?.post(&path, &json!({"tunnel": tunnel})).await;
        let item = match asked {
            Ok(item) => item,
            // What one may not see is a check that failed, like any other.
            Err(ApiError::Problem(problem)) if problem.status == 404 => unseen(&problem),
            Err(error) => return Err(error.into()),
        };
        self.terminal.value(&item);
        let explanation: Explanation = typed(item)?;
        self.terminal.data(explained(case, tunnel, &explanation));
        Ok(())
    }
}

/// The explanation of a case or tunnel that is not there, or not for this reader.
fn unseen(problem: &Problem) -> Value {
    let reason = &problem.reason;
    let check = json!({
        "reason": reason, "passed": false, "what": problem.detail, "remedy": hint(reason),
    });
    json!({"decision": "deny", "reason": reason, "checks": [check]})
}

fn switch_cell(switch: Option<&SwitchState>, clock: &Clock) -> String {
    match switch {
        None => "never".to_owned(),
        Some(SwitchState { on: false, .. }) => "off".to_owned(),
        Some(SwitchState { on: true, until: None, .. }) => "on".to_owned(),
        Some(SwitchState { on: true, until: Some(until), .. }) => {
            format!("on until {}", clock.short(*until))
        }
    }
}

/// A case as creation takes it.
async fn case_body(api: &Api, create: CreateCase) -> Result<Map<String, Value>, Failure> {
    let about = create.about;
    let mut body = Map::new();
    let mut put = |key: &str, value: Option<String>| {
        body.extend(value.map(|value| (key.to_owned(), json!(value))));
    };
    put("type", Some(create.kind.code().to_owned()));
    put("asset", create.asset.map(String::from));
    put("machine", create.machine.map(String::from));
    put("title", Some(create.title));
    put("severity", about.severity.map(|severity| severity.code().to_owned()));
    put("description", about.description);
    put("external_id", about.external_id);
    body.extend(about.priority.map(|priority| ("priority".to_owned(), json!(priority.code()))));
    body.extend(contact(about.phone, about.email));
    if let Some(organisation) = create.organisation {
        let id = resolve(api, "/organisations", &organisation).await?;
        body.insert("organisation".to_owned(), json!(id));
    }
    Ok(body)
}

/// The contact, as far as it is said; an empty text is nobody.
fn contact(phone: Option<String>, email: Option<String>) -> Option<(String, Value)> {
    let mut contact = Map::new();
    contact.extend(phone.map(|phone| ("phone".to_owned(), or_null(phone))));
    contact.extend(email.map(|email| ("email".to_owned(), or_null(email))));
    (!contact.is_empty()).then(|| ("contact".to_owned(), Value::Object(contact)))
}

fn or_null(text: String) -> Value {
    if text.is_empty() { Value::Null } else { Value::String(text) }
}

fn machine_cell(case: &CaseRow) -> String {
    let about = case.asset.as_ref().or(case.machine.as_ref());
    about.map(|about| about.id().to_owned()).unwrap_or_default()
}

const HEADING: [&str; 9] = [
    "CASE",
    "TYPE",
    "STATE",
    "SEVERITY",
    "REMOTE ACCESS",
    "MACHINE",
    "ASSIGNEE",
    "CREATED",
    "TITLE",
];

fn case_cells(case: &CaseRow, clock: &Clock) -> [String; 9] {
    [
        case.id.clone(),
        case.kind.clone(),
        case.state.clone(),
        case.severity.clone().unwrap_or_default(),
        switch_cell(case.switch.as_ref(), clock),
        machine_cell(case),
        case.assignee.as_ref().map(|who| who.name().to_owned()).unwrap_or_default(),
        clock.short(case.created_at),
        case.title.clone(),
    ]
}

/// One field a line, names aligned.
fn case_page(case: &CaseRow, clock: &Clock) -> String {
    let named = |who: Option<&super::api::Named>| who.map_or("-".to_owned(), |w| w.name().into());
    let about = case.asset.as_ref().or(case.machine.as_ref());
    let machine = about.map_or("-".to_owned(), |about| match about.name() {
        name if name == about.id() => name.to_owned(),
        name => format!("{name} ({})", about.id()),
    });
    let mut fields = vec![
        ("type", case.kind.clone()),
        ("state", case.state.clone()),
        ("remote access", switch_cell(case.switch.as_ref(), clock)),
    ];
    fields.extend(turned_line(case.switch.as_ref(), clock).map(|line| ("", line)));
    fields.push(("machine", machine));
    fields.extend(case.severity.clone().map(|severity| ("severity", severity)));
    fields.extend(case.priority.clone().map(|priority| ("priority", priority)));
    fields.push(("assignee", named(case.assignee.as_ref())));
    fields.push(("created by", named(case.created_by.as_ref())));
    fields.push(("created", clock.short(case.created_at)));
    fields.extend(case.closed_at.map(|at| ("closed", clock.short(at))));
    let reach = [&case.contact.phone, &case.contact.email].map(Option::as_deref);
    let reach: Vec<&str> = reach.into_iter().flatten().collect();
    fields.extend((!reach.is_empty()).then(|| ("contact", reach.join(", "))));
    fields.extend(case.external_id.clone().map(|id| ("external id", id)));
    fields.extend(case.revision.map(|revision| ("revision", revision.to_string())));
    let mut page = OneLine(format!("{}  {}", case.id, case.title)).to_string();
    for (name, value) in fields {
        page.push_str(&format!("\n  {name:13}  {}", OneLine(value)));
    }
    for line in case.description.lines() {
        page.push_str(&format!("\n  | {}", OneLine(line)));
    }
    page
}

/// Who turned the switch last, and why.
fn turned_line(switch: Option<&SwitchState>, clock: &Clock) -> Option<String> {
    let turn = switch?.turned.as_ref()?;
    let way = if turn.on { "on" } else { "off" };
    let who = turn.by.as_ref().map_or("itself: its time was up", |by| by.name());
    let reason = turn.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    Some(format!("turned {way} {} by {who}{reason}", clock.short(turn.at)))
}

fn switched_line(name: &str, switched: &Switched, clock: &Clock) -> String {
    let name = OneLine(name);
    if switched.on {
        return match switched.until {
            Some(until) => format!("{name}: remote access on until {}", clock.until(until)),
            None => format!("{name}: remote access on until somebody turns it off"),
        };
    }
    let ended = match switched.sessions_ended {
        0 => "no session was open".to_owned(),
        1 => "1 session ended".to_owned(),
        many => format!("{many} sessions ended"),
    };
    let cut = if switched.cut.as_deref() == Some("pending") {
        "; not yet confirmed that nothing flows, at the latest in 10 s"
    } else {
        ""
    };
    format!("{name}: remote access off, {ended}{cut}")
}

fn tunnel_table(rows: Vec<Value>) -> Result<Table, Failure> {
    let mut table =
        Table::new(["TUNNEL", "KIND", "MODE", "NOW", "TARGETS"], "no tunnels for this machine");
    for row in rows {
        let tunnel: TunnelRow = typed(row)?;
        let targets: Vec<String> = tunnel.targets.iter().map(ToString::to_string).collect();
        let now = match (tunnel.decision.as_str(), tunnel.reason) {
            ("allow", _) => "allowed".to_owned(),
            (_, Some(reason)) => reason,
            (_, None) => "denied".to_owned(),
        };
        table.row([tunnel.name, tunnel.kind, tunnel.mode, now, targets.join(" ")]);
    }
    Ok(table)
}

/// Every check in order; the first that fails is the reason.
fn explained(case: &CaseId, tunnel: &Name, explanation: &Explanation) -> String {
    let mut text = match &explanation.reason {
        Some(reason) => format!("{tunnel} from {case}: {} [{reason}]", explanation.decision),
        None => format!("{tunnel} from {case}: {}", explanation.decision),
    };
    for check in &explanation.checks {
        let what = OneLine(&check.what);
        if check.passed {
            text.push_str(&format!("\n  yes  {what}"));
            continue;
        }
        text.push_str(&format!("\n  NO   {what} [{}]", check.reason));
        if let Some(remedy) = &check.remedy {
            text.push_str(&format!("\n       -> {}", OneLine(remedy)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Wall;

    fn clock() -> Clock {
        Clock::utc("2026-05-01T12:00:00Z".parse::<Wall>().unwrap())
    }

    fn case() -> CaseRow {
        typed(json!({
            "id": "CASE-7", "type": "operator_internal", "title": "Spindle\u{1b} overheats",
            "state": "in_progress", "asset": {"id": "press-7", "name": "Press 7"},
            "switch": {"on": true, "until": "2026-05-01T16:00:00Z", "turned": {
                "on": true, "by": {"id": "olaf", "name": "Olaf"}, "at": "2026-05-01T11:00:00Z",
                "reason": "the valve"}},
            "severity": "stopped", "contact": {"phone": null, "email": "olaf@op.example"},
            "description": "Since this morning:\nsmoke", "revision": 17,
            "assignee": {"id": "mia", "name": "Mia Maintenance"}, "created_by": "olaf",
            "created_at": "2026-04-30T08:00:00Z", "something_new": 1,
        }))
        .unwrap()
    }

    #[test]
    fn a_case_is_one_row_and_one_page() {
        let mut table = Table::new(HEADING, "no cases");
        table.row(case_cells(&case(), &clock()));
        insta::assert_snapshot!(
            format!("{table}\n\n{}", case_page(&case(), &clock())), @r"
        CASE    TYPE               STATE        SEVERITY  REMOTE ACCESS   MACHINE  ASSIGNEE         CREATED           TITLE
        CASE-7  operator_internal  in_progress  stopped   on until 16:00  press-7  Mia Maintenance  2026-04-30 08:00  Spindle� overheats

        CASE-7  Spindle� overheats
          type           operator_internal
          state          in_progress
          remote access  on until 16:00
                         turned on 11:00 by Olaf: the valve
          machine        Press 7 (press-7)
          severity       stopped
          assignee       Mia Maintenance
          created by     olaf
          created        2026-04-30 08:00
          contact        olaf@op.example
          revision       17
          | Since this morning:
          | smoke
        ");
    }

    #[test]
    fn a_provider_internal_case_can_never_be_switched_on() {
        assert_eq!(switch_cell(None, &clock()), "never");
    }

    #[test]
    fn turning_a_switch_says_what_it_did() {
        let said = |item: Value| switched_line("CASE-7", &typed(item).unwrap(), &clock());
        let lines = [
            said(json!({"on": true, "until": "2026-05-01T16:00:00Z", "revision": 3})),
            said(json!({"on": true, "until": null})),
            said(json!({"on": false, "cut": "confirmed", "sessions_ended": 0})),
            said(json!({"on": false, "cut": "pending", "sessions_ended": 2})),
        ];
        insta::assert_snapshot!(lines.join("\n"), @r"
        CASE-7: remote access on until 16:00 (in 4 h)
        CASE-7: remote access on until somebody turns it off
        CASE-7: remote access off, no session was open
        CASE-7: remote access off, 2 sessions ended; not yet confirmed that nothing flows, at the latest in 10 s
        ");
    }

    #[test]
    fn tunnels_show_what_they_lead_to_and_whether_they_would_open() {
        let rows = vec![
            json!({"id": "t1", "name": "plc", "kind": "ssc", "mode": "sealed", "decision": "allow",
                "reason": null,
                "targets": [{"name": "plc", "proto": "tcp", "host": "127.0.0.1", "port": 502}]}),
            json!({"id": "t2", "name": "cell", "kind": "data_link", "mode": "any",
                "decision": "deny", "reason": "switch_off", "targets": [
                    {"name": "hmi", "proto": "tcp", "hosts": {"ip": "10.0.0.2"}, "ports": {"first": 80, "last": 80}},
                    {"name": "all", "proto": "tcp", "hosts": {"block": "10.0.0.0/24"}, "ports": {"first": 1, "last": 99}}]}),
        ];
        insta::assert_snapshot!(tunnel_table(rows).unwrap(), @r"
        TUNNEL  KIND       MODE    NOW         TARGETS
        plc     ssc        sealed  allowed     plc=tcp://127.0.0.1:502
        cell    data_link  any     switch_off  hmi=tcp://10.0.0.2:80 all
        ");
    }

    #[test]
    fn why_names_each_check_and_what_would_make_it_pass() {
        let explanation: Explanation = typed(json!({"decision": "deny", "reason": "switch_off",
        "checks": [
            {"reason": "case_closed", "passed": true, "what": "CASE-7 is open", "remedy": null},
            {"reason": "switch_off", "passed": false, "what": "remote access is on for CASE-7",
             "remedy": "the operator turns it on"},
        ]}))
        .unwrap();
        let (case, tunnel) = ("CASE-7".parse().unwrap(), "plc".parse().unwrap());
        insta::assert_snapshot!(explained(&case, &tunnel, &explanation), @r"
        plc from CASE-7: deny [switch_off]
          yes  CASE-7 is open
          NO   remote access is on for CASE-7 [switch_off]
               -> the operator turns it on
        ");
    }
}
