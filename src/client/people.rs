//! People of the own tenant: who there is, with which roles; add, change, let in or not.
//!
//! ```text
//!   user add --> password (file, made, or typed twice) --> POST /users --> its roles, one by one
//! ```

use std::{fs, path::Path};

use serde_json::{Value, json};

use super::{
    Api, Exit, Failure, Here,
    api::{ApiError, Held, PersonRow, Query, typed},
    cli::{AddUser, RoleCommand, UserCommand},
    login::{asked, password_in},
    show::{OneLine, Table},
    state::write_fresh,
};
use crate::{ids::FacilityId, secret::SecretText, tenancy::Role, token::BearerToken};

impl Here {
    pub(super) async fn user(&self, command: UserCommand) -> Result<(), Failure> {
        match command {
            UserCommand::List => self.people().await,
            UserCommand::Add(add) => self.add_person(add).await,
            UserCommand::Role(RoleCommand::Add { email, role, facilities }) => {
                self.give_role(&email, role, &facilities).await
            }
            UserCommand::Role(RoleCommand::Remove { email, role }) => {
                self.take_role(&email, role).await
            }
            UserCommand::Disable { email } => self.set_active(&email, false).await,
            UserCommand::Enable { email } => self.set_active(&email, true).await,
        }
    }

    async fn people(&self) -> Result<(), Failure> {
        let items = self.api()?.list("/users", &Query::default()).await?;
        let mut table = Table::new(["E-MAIL", "NAME", "ACTIVE", "ROLES"], "no people");
        for item in items {
            self.terminal.value(&item);
            let person: PersonRow = typed(item)?;
            let active = if person.active { "yes" } else { "no" }.to_owned();
            let roles = roles_cell(&person.assignments);
            table.row([person.email, person.name, active, roles]);
        }
        self.terminal.data(table);
        Ok(())
    }

    async fn add_person(&self, add: AddUser) -> Result<(), Failure> {
        let AddUser { email, name, roles, facilities, password_file, password_out } = add;
        let api = self.api()?;
        let password = match (&password_file, &password_out) {
            (Some(file), _) => password_in(file)?,
            (None, Some(out)) => made_password(out)?,
            (None, None) => typed_twice(&email)?,
        };
        let body = json!({"email": email, "name": name, "password": password.expose()});
        let added: Result<Value, ApiError> = api.post("/users", &body).await;
        let mut item = added.inspect_err(|_| {
            // A password that is nobody's would only mislead.
            if let Some(out) = &password_out {
                let _ = fs::remove_file(out);
            }
        })?;
        let person: PersonRow = typed(item.clone())?;
        let mut held = Vec::new();
        for role in roles {
            let given = assign(&api, &person, role, &facilities).await.map_err(|error| {
                let failure = Failure::from(error);
                let what = format!(
                    "{} was added, but is no {role}: {}",
                    person.email,
                    failure.what,
                    role = role.code()
                );
                let again = format!("`caseway user role add {} {}`", person.email, role.code());
                Failure { what, ..failure }.hint(format!("when that is mended: {again}"))
            })?;
            held.push(given);
        }
        if let Some(fields) = item.as_object_mut() {
            fields.insert("assignments".to_owned(), json!(held));
            fields.insert("password_file".to_owned(), json!(password_out));
        }
        self.terminal.value(&item);
        let held: Vec<Held> = held.into_iter().map(typed).collect::<Result<_, _>>()?;
        self.terminal.data(OneLine(format!("{}: added, {}", person.email, roles_said(&held))));
        if let Some(out) = &password_out {
            let note =
                format!("the password is in {}: hand it over, then remove it", out.display());
            self.terminal.note(OneLine(note));
        }
        Ok(())
    }

    async fn give_role(
        &self,
        email: &str,
        role: Role,
        facilities: &[FacilityId],
    ) -> Result<(), Failure> {
        let api = self.api()?;
        let person = self.person(&api, email).await?;
        let item = assign(&api, &person, role, facilities).await?;
        self.terminal.value(&item);
        let given: Held = typed(item)?;
        self.terminal.data(OneLine(format!("{}: now {}", person.email, given)));
        Ok(())
    }

    /// Takes every assignment of `role` away: each scope has its own.
    async fn take_role(&self, email: &str, role: Role) -> Result<(), Failure> {
        let api = self.api()?;
        let person = self.person(&api, email).await?;
        let held = person.assignments.iter().filter(|one| one.role == role.code());
        let held: Vec<&str> = held.map(|one| one.id.as_str()).collect();
        if held.is_empty() {
            let what = format!("{} is no {}", person.email, role.code());
            return Err(Failure::new(Exit::Refused, what)
                .code("not_found")
                .hint("see who is what: `caseway user list`"));
        }
        for assignment in held {
            let path = format!("/users/{}/assignments/{assignment}", person.id);
            api.delete(&path).await?;
        }
        let person = self.person(&api, email).await?;
        self.terminal.value(&json!({
            "id": person.id, "email": person.email, "removed": role.code(),
        }));
        let left = roles_said(&person.assignments);
        self.terminal.data(OneLine(format!(
            "{}: no {} any more, {left}",
            person.email,
            role.code()
        )));
        Ok(())
    }

    async fn set_active(&self, email: &str, active: bool) -> Result<(), Failure> {
        let api = self.api()?;
        let person = self.person(&api, email).await?;
        let path = format!("/users/{}/active", person.id);
        let item: Value = api.put(&path, &json!({"active": active})).await?;
        self.terminal.value(&item);
        let said = if active { "let in again" } else { "let in no more" };
        self.terminal.data(OneLine(format!("{}: {said}", person.email)));
        Ok(())
    }

    /// The colleague who logs in as `email`.
    async fn person(&self, api: &Api, email: &str) -> Result<PersonRow, Failure> {
        let people = api.list("/users", &Query::default()).await?;
        let people: Vec<PersonRow> = people.into_iter().map(typed).collect::<Result<_, _>>()?;
        let found = people.into_iter().find(|one| one.email.eq_ignore_ascii_case(email));
        found.ok_or_else(|| {
            Failure::new(Exit::Refused, format!("nobody here logs in as {email}"))
                .code("not_found")
                .hint("see who there is: `caseway user list`")
        })
    }
}

async fn assign(
    api: &Api,
    person: &PersonRow,
    role: Role,
    facilities: &[FacilityId],
) -> Result<Value, ApiError> {
    let scope =
        if facilities.is_empty() { json!("whole") } else { json!({"facilities": facilities}) };
    let path = format!("/users/{}/assignments", person.id);
    api.post(&path, &json!({"role": role, "scope": scope})).await
}

fn roles_cell(held: &[Held]) -> String {
    held.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn roles_said(held: &[Held]) -> String {
    if held.is_empty() { "without a role".to_owned() } else { roles_cell(held) }
}

/// A new password, in a new file that only its owner can read.
fn made_password(out: &Path) -> Result<SecretText, Failure> {
    let password = BearerToken::fresh().map_err(|error| Failure::new(Exit::Other, error))?.text();
    let line = SecretText::new(format!("{}\n", password.expose()));
    write_fresh(out, line.expose().as_bytes()).map_err(|error| {
        Failure::new(Exit::Usage, format!("cannot make {}: {error}", out.display()))
            .hint("--password-out takes the name of a file that is not there yet")
    })?;
    Ok(password)
}

fn typed_twice(email: &str) -> Result<SecretText, Failure> {
    let typed = |prompt: String| {
        asked("password", "--password-file FILE or --password-out FILE", || {
            rpassword::prompt_password(prompt).map(SecretText::new)
        })
    };
    let password = typed(format!("password for {}: ", OneLine(email)))?;
    if typed("the same again: ".to_owned())?.expose() == password.expose() {
        Ok(password)
    } else {
        Err(Failure::new(Exit::Usage, "the two passwords differ")
            .hint("nobody was added; try again"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_password_is_for_its_owner_alone_and_replaces_nothing() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("mia.password");
        let password = made_password(&out).unwrap();
        assert_eq!(password_in(&out).unwrap().expose(), password.expose());
        assert_eq!(fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(made_password(&out).unwrap_err().exit, Exit::Usage);
        assert_eq!(password_in(&out).unwrap().expose(), password.expose());
    }

    #[test]
    fn roles_are_said_with_what_they_cover() {
        let held: Vec<Held> = serde_json::from_value(json!([
            {"id": "a", "role": "workshop_manager", "scope": "whole"},
            {"id": "b", "role": "machine_operator", "scope": {"facilities": ["hall-1", "hall-2"]}},
            {"id": "c", "role": "service_technician", "scope": {"customers": ["aurora"]}},
        ]))
        .unwrap();
        assert_eq!(
            roles_said(&held),
            "workshop_manager, machine_operator (hall-1 hall-2), service_technician (aurora)"
        );
        assert_eq!(roles_said(&[]), "without a role");
    }
}
