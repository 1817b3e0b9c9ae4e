//! What people say to each other about a case: its conversation, requests for remote access and
//! their answers, and the history of it all.

use serde_json::{Value, json};

use super::switched_line;
use crate::{
    client::{
        Api, Exit, Failure, Here,
        api::{Answered, HistoryRow, Me, MessageRow, Query, RequestRow, typed},
        cli::{Answering, Asking, YesNo},
        show::{Clock, OneLine, Table},
    },
    clock::Now,
    ids::{CaseId, PersonId},
};

impl Here {
    pub(in crate::client) async fn request(&self, asking: Asking) -> Result<(), Failure> {
        let (api, case) = (self.api()?, asking.case);
        let path = format!("/cases/{case}/access-requests");
        if asking.withdraw {
            let me: Me = api.get("/me").await?;
            let open = open_requests(&api, &case).await?;
            let Some(own) = open.iter().find(|one| one.person.id() == me.person) else {
                return Err(Failure::new(
                    Exit::Other,
                    format!("no open request of yours in {case}"),
                ));
            };
            api.delete(&format!("{path}/{}", own.id)).await?;
            self.terminal.value(&json!({"request": own.id, "state": "withdrawn"}));
            self.terminal.data(format_args!("{case}: request withdrawn"));
            return Ok(());
        }
        let mut body = json!({"reason": asking.reason});
        if let (Some(fields), Some(lasting)) = (body.as_object_mut(), asking.lasting) {
            fields.insert("for".to_owned(), json!(lasting.as_secs()));
        }
        let item: Value = api.post(&path, &body).await?;
        self.terminal.value(&item);
        self.terminal.data(format_args!(
            "{case}: asked; `caseway case requests {case}` says whether it was answered"
        ));
        Ok(())
    }

    pub(in crate::client) async fn requests(
        &self,
        case: Option<&CaseId>,
        all: bool,
    ) -> Result<(), Failure> {
        let api = self.api()?;
        let items = match case {
            Some(case) => {
                api.list(&format!("/cases/{case}/access-requests"), &Query::default()).await?
            }
            None => {
                let query = Query::default().and("open", if all { "false" } else { "true" });
                api.list("/access-requests", &query).await?
            }
        };
        let clock = self.clock();
        let heading = ["REQUEST", "CASE", "BY", "ASKED", "FOR", "STATE", "REASON"];
        let mut table = Table::new(heading, "no requests");
        for item in items {
            self.terminal.value(&item);
            table.row(request_cells(&typed(item)?, &clock));
        }
        self.terminal.data(table);
        Ok(())
    }

    pub(in crate::client) async fn answer(&self, answering: Answering) -> Result<(), Failure> {
        let Answering { case, answer, request, lasting, reason } = answering;
        let body = match (answer, lasting, reason) {
            (YesNo::Yes, lasting, None) => {
                let until = lasting.map(|lasting| Now::read().wall.plus(lasting));
                json!({"grant": true, "until": until})
            }
            (YesNo::No, None, Some(words)) => json!({"grant": false, "words": words}),
            (YesNo::Yes, _, Some(_)) => return Err(usage("--reason goes with `no`")),
            (YesNo::No, Some(_), _) => return Err(usage("--for goes with `yes`")),
            (YesNo::No, None, None) => return Err(usage("say why not, with --reason")),
        };
        let api = self.api()?;
        let request = match request {
            Some(request) => request.to_string(),
            None => the_open_one(&api, &case).await?,
        };
        let path = format!("/cases/{case}/access-requests/{request}/answer");
        let item: Value = api.put(&path, &body).await?;
        self.terminal.value(&item);
        match typed::<Answered>(item)?.switch {
            Some(switched) => {
                self.terminal.data(switched_line(case.as_str(), &switched, &self.clock()));
            }
            None => self.terminal.data(format_args!("{case}: declined")),
        }
        Ok(())
    }

    pub(in crate::client) async fn say(
        &self,
        case: &CaseId,
        text: &str,
        mentions: &[PersonId],
    ) -> Result<(), Failure> {
        let body = json!({"text": text, "mentions": mentions});
        let item: Value = self.api()?.post(&format!("/cases/{case}/messages"), &body).await?;
        self.terminal.value(&item);
        Ok(())
    }

    pub(in crate::client) async fn messages(&self, case: &CaseId) -> Result<(), Failure> {
        let path = format!("/cases/{case}/messages");
        let items = self.api()?.list(&path, &Query::default()).await?;
        let clock = self.clock();
        if items.is_empty() {
            self.terminal.data("nothing was said yet");
        }
        for item in items {
            self.terminal.value(&item);
            self.terminal.data(message(&typed(item)?, &clock));
        }
        Ok(())
    }

    pub(in crate::client) async fn history(&self, case: &CaseId) -> Result<(), Failure> {
        let path = format!("/cases/{case}/history");
        let items = self.api()?.list(&path, &Query::default()).await?;
        let clock = self.clock();
        let mut table = Table::new(["TIME", "BY", "WHAT", "DETAILS"], "nothing has happened yet");
        for item in items {
            self.terminal.value(&item);
            table.row(history_cells(&typed(item)?, &clock));
        }
        self.terminal.data(table);
        Ok(())
    }
}

async fn open_requests(api: &Api, case: &CaseId) -> Result<Vec<RequestRow>, Failure> {
    let path = format!("/cases/{case}/access-requests");
    let items = api.list(&path, &Query::default()).await?;
    let rows = items.into_iter().map(typed::<RequestRow>).collect::<Result<Vec<_>, _>>()?;
    Ok(rows.into_iter().filter(|row| row.state == "open").collect())
}

/// The one request that waits for an answer.
async fn the_open_one(api: &Api, case: &CaseId) -> Result<String, Failure> {
    match open_requests(api, case).await?.as_slice() {
        [one] => Ok(one.id.clone()),
        [] => Err(Failure::new(Exit::Other, format!("no open request in {case}"))),
        _ => Err(usage("several wait for an answer: name one with --request")),
    }
}

fn usage(what: &str) -> Failure {
    Failure::new(Exit::Usage, what)
}

fn request_cells(row: &RequestRow, clock: &Clock) -> [String; 7] {
    let lasting = match row.seconds {
        None => "until off".to_owned(),
        Some(seconds) if seconds % 3600 == 0 => format!("{} h", seconds / 3600),
        Some(seconds) => format!("{} min", seconds.div_ceil(60)),
    };
    let state = match &row.answered_by {
        Some(by) => format!("{} by {}", row.state, by.name()),
        None => row.state.clone(),
    };
    let reason = match &row.answer {
        Some(answer) => format!("{} -> {answer}", row.reason),
        None => row.reason.clone(),
    };
    let who = row.person.name().to_owned();
    let (id, case) = (row.id.clone(), row.case.id().to_owned());
    [id, case, who, clock.short(row.asked_at), lasting, state, reason]
}

fn message(row: &MessageRow, clock: &Clock) -> String {
    let mut text = format!("{}  {}", clock.short(row.at), OneLine(row.author.name()));
    let names: Vec<&str> = row.mentions.iter().map(|who| who.name()).collect();
    if !names.is_empty() {
        text.push_str(&format!(" to {}", OneLine(names.join(", "))));
    }
    for line in row.text.lines() {
        text.push_str(&format!("\n  {}", OneLine(line)));
    }
    text
}

fn history_cells(row: &HistoryRow, clock: &Clock) -> [String; 4] {
    let mut details = match (&row.old, &row.new) {
        (Some(old), Some(new)) => format!("{old} -> {new}"),
        (Some(one), None) | (None, Some(one)) => one.clone(),
        (None, None) => String::new(),
    };
    if let Some(reason) = &row.reason {
        let gap = if details.is_empty() { "" } else { " " };
        details.push_str(&format!("{gap}({reason})"));
    }
    let event = row.event.replace('_', " ");
    let refused = row.event.contains("refused") || row.event.contains("denied");
    let what = if row.done || refused { event } else { format!("{event}: refused") };
    [clock.short(row.at), row.actor_name.clone(), what, details]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Wall;

    fn clock() -> Clock {
        Clock::utc("2026-05-01T12:00:00Z".parse::<Wall>().unwrap())
    }

    #[test]
    fn a_request_is_one_row_with_what_became_of_it() {
        let row = |item: Value| request_cells(&typed(item).unwrap(), &clock()).join(" | ");
        let mut item = json!({
            "id": "r1", "case": {"id": "CASE-7", "name": "Spindle"}, "person": {"id": "stan"},
            "reason": "the valve", "for": 14_400, "state": "open",
            "asked_at": "2026-05-01T11:00:00Z", "expires_at": "2026-05-08T11:00:00Z",
        });
        assert_eq!(row(item.clone()), "r1 | CASE-7 | stan | 11:00 | 4 h | open | the valve");
        item["state"] = json!("declined");
        item["answered_by"] = json!({"id": "olaf", "name": "Olaf"});
        item["answer"] = json!("after the shift");
        item["for"] = json!(null);
        let expected = "r1 | CASE-7 | stan | 11:00 | until off | declined by Olaf | \
                        the valve -> after the shift";
        assert_eq!(row(item), expected);
    }

    #[test]
    fn a_conversation_reads_as_one_and_drives_no_terminal() {
        let item = json!({
            "number": 1, "author": {"id": "olaf", "name": "Olaf"}, "at": "2026-05-01T11:00:00Z",
            "text": "first\n\u{1b}[2Jsecond", "mentions": [{"id": "stan", "name": "Stan"}],
        });
        let said = message(&typed(item).unwrap(), &clock());
        assert_eq!(said, "11:00  Olaf to Stan\n  first\n  \u{fffd}[2Jsecond");
    }

    #[test]
    fn a_history_tells_refusals_apart() {
        let row = |item: Value| history_cells(&typed(item).unwrap(), &clock()).join(" | ");
        let mut item = json!({
            "seq": 1, "at": "2026-05-01T11:00:00Z", "kind": "switch", "event": "switch_on",
            "actor_name": "Olaf", "done": true, "old": "off", "new": "on", "reason": "the valve",
        });
        assert_eq!(row(item.clone()), "11:00 | Olaf | switch on | off -> on (the valve)");
        item = json!({"at": "2026-05-01T11:00:00Z", "event": "refused", "actor_name": "Stan",
            "done": false, "reason": "role"});
        assert_eq!(row(item), "11:00 | Stan | refused | (role)");
    }
}
