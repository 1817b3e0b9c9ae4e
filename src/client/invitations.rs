//! Invitations: sent, withdrawn, accepted.
//!
//! ```text
//!   invite send      --> POST /invitations --> its token into a file -- handed over --+
//!   customer invite  --> POST /customers/{customer}/invitation --> ... ---------------+
//!                                                                                     |
//!   invite accept    <-- the file, a name, a first password: nobody is logged in <----+
//! ```

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Api, Exit, Failure, Here,
    api::{ApiError, PersonRow, Query, typed},
    cli::{Accept, GivenRoles, InvitationOut, InviteCommand},
    login::secret_in,
    people::OwnRoles,
    secrets::SecretFile,
    show::{Clock, OneLine, Table},
};
use crate::{clock::Wall, ids::InvitationId};

#[derive(Debug, Deserialize)]
struct InvitationRow {
    id: String,
    email: String,
    #[serde(default)]
    customer: Option<String>,
    expires_at: Wall,
    #[serde(default)]
    accepted_at: Option<Wall>,
}

impl Here {
    pub(super) async fn invite(&self, command: InviteCommand) -> Result<(), Failure> {
        match command {
            InviteCommand::List { customers } => self.invitations(customers).await,
            InviteCommand::Send { email, given, out } => {
                self.invite_person(email, given, out).await
            }
            InviteCommand::Withdraw { invitation } => self.withdraw(&invitation).await,
            InviteCommand::Accept(accept) => self.accept(accept).await,
        }
    }

    async fn invitations(&self, customers: bool) -> Result<(), Failure> {
        let clock = self.clock();
        let mut table = Table::new(["E-MAIL", "CUSTOMER", "STATE", "ID"], "no invitations");
        for item in self.api()?.list("/invitations", &of(customers)).await? {
            self.terminal.value(&item);
            table.row(cells(typed(item)?, &clock));
        }
        self.terminal.data(table);
        Ok(())
    }

    async fn invite_person(
        &self,
        email: String,
        given: GivenRoles,
        out: InvitationOut,
    ) -> Result<(), Failure> {
        let GivenRoles { roles, scope } = given;
        let (api, scope) = (self.api()?, scope.scope());
        let own = if roles.is_empty() { OwnRoles::default() } else { OwnRoles::of(&api).await? };
        let offer = |role: &String| Ok(json!({"role": own.named(role)?, "scope": scope}));
        let roles: Vec<Value> = roles.iter().map(offer).collect::<Result<_, Failure>>()?;
        let body = json!({"email": email, "roles": roles});
        self.invited(&api, "/invitations", &body, out).await
    }

    /// Asks for an invitation by `body`, which names whom, and puts it into its file.
    pub(super) async fn invited(
        &self,
        api: &Api,
        path: &str,
        body: &Value,
        InvitationOut { out }: InvitationOut,
    ) -> Result<(), Failure> {
        let email = body.get("email").and_then(Value::as_str).unwrap_or_default();
        let file = out.unwrap_or_else(|| format!("{email}.invitation").into());
        let file = SecretFile::new(file, "--out")?;
        let asked: Result<Value, ApiError> = api.post(path, body).await;
        let mut item = asked.map_err(|error| error.or_see("caseway customer list"))?;
        file.keep(&mut item, "token", "withdraw this invitation, then send another")?;
        self.terminal.value(&item);
        let row: InvitationRow = typed(item)?;
        self.terminal.data(OneLine(file.path()));
        let url = &self.logged_in()?.gateway.url;
        self.terminal.note(OneLine(format!(
            "one use, until {}: hand {} the file and the gateway's ca.pem, for \
             `caseway invite accept {url} --ca ca.pem --token-file {} --name NAME`",
            self.clock().until(row.expires_at),
            row.email,
            file.path(),
        )));
        Ok(())
    }

    async fn withdraw(&self, called: &str) -> Result<(), Failure> {
        let api = self.api()?;
        for id in open(&api, called).await? {
            let gone = api.delete(&format!("/invitations/{id}")).await;
            gone.map_err(|error| error.or_see("caseway invite list"))?;
            self.terminal.value(&json!({"id": id, "withdrawn": true}));
        }
        self.terminal.data(OneLine(format!("{called}: not invited any more")));
        Ok(())
    }

    async fn accept(&self, accept: Accept) -> Result<(), Failure> {
        let Accept { url, ca, token_file, name, company, password } = accept;
        let gateway = self.gateway(&url, ca.as_deref())?;
        let token = secret_in(&token_file, "token")?;
        let secret = password.obtained("your password from now on: ")?;
        let body = json!({
            "token": token.expose(), "name": name, "password": secret.expose(), "company": company,
        });
        let api = Api::anonymous(&gateway)?;
        let accepted: Result<Value, ApiError> = api.post("/invitations/accept", &body).await;
        let item = accepted.map_err(|error| {
            password.forgotten();
            unaccepted(error)
        })?;
        self.terminal.value(&item);
        let person: PersonRow = typed(item)?;
        self.terminal.data(OneLine(format!("{}: may log in", person.email)));
        let ca = ca.map(|ca| format!(" --ca {}", ca.display())).unwrap_or_default();
        let next = format!("next: `caseway login {url}{ca} --user {}`", person.email);
        self.terminal.note(OneLine(next));
        Ok(())
    }
}

fn of(customers: bool) -> Query {
    Query::default().and_if("customers", customers.then_some("true"))
}

/// The open invitations of this e-mail address, or the one of this id.
async fn open(api: &Api, called: &str) -> Result<Vec<InvitationId>, Failure> {
    if !called.contains('@') {
        let id = called.parse().map_err(|error| Failure::new(Exit::Usage, error))?;
        return Ok(vec![id]);
    }
    let mut found = Vec::new();
    for customers in [false, true] {
        let items = match api.list("/invitations", &of(customers)).await {
            // Who manages people need not manage customers, nor the other way round.
            Err(ApiError::Problem(problem)) if problem.reason == "role" => continue,
            other => other?,
        };
        let rows: Vec<InvitationRow> = items.into_iter().map(typed).collect::<Result<_, _>>()?;
        let rows = rows.into_iter().filter(|row| row.accepted_at.is_none());
        let rows = rows.filter(|row| row.email.eq_ignore_ascii_case(called));
        found.extend(rows.filter_map(|row| row.id.parse().ok()));
    }
    if found.is_empty() {
        return Err(Failure::new(Exit::Refused, format!("no invitation of {called} is open"))
            .code("not_found")
            .hint("see who is invited: `caseway invite list`"));
    }
    Ok(found)
}

/// Who holds an invitation has no list to look into.
fn unaccepted(error: ApiError) -> Failure {
    match error {
        ApiError::Problem(problem) if problem.reason == "not_found" => {
            let what = "this gateway knows no such invitation, or it was withdrawn";
            Failure::new(Exit::Refused, what)
                .code(&problem.reason)
                .hint("compare the gateway's address, or ask for a new one")
        }
        other @ (ApiError::Gate(_)
        | ApiError::TimedOut
        | ApiError::Broken(_)
        | ApiError::Problem(_)
        | ApiError::Strange(_)) => other.into(),
    }
}

fn cells(row: InvitationRow, clock: &Clock) -> [String; 4] {
    let state = match row.accepted_at {
        Some(at) => format!("accepted {}", clock.short(at)),
        None => format!("until {}", clock.until(row.expires_at)),
    };
    [row.email, row.customer.unwrap_or_default(), state, row.id]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invitation_says_whether_it_still_waits() {
        let clock = Clock::utc("2026-05-01T12:00:00Z".parse().unwrap());
        let mut item = json!({"id": "i-1", "email": "ann@firm.example", "customer": null,
            "expires_at": "2026-05-01T15:00:00Z", "accepted_at": null});
        let state = |item: &Value| cells(typed(item.clone()).unwrap(), &clock)[2].clone();
        assert_eq!(state(&item), "until 15:00 (in 3 h)");
        item["expires_at"] = json!("2026-05-01T11:00:00Z");
        assert_eq!(state(&item), "until 11:00 (past)");
        item["accepted_at"] = json!("2026-05-01T10:00:00Z");
        assert_eq!(state(&item), "accepted 10:00");
    }
}
