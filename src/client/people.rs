//! People of the own tenant: who there is, with which roles; add, change, let in or not.
//!
//! ```text
//!   user add --> password (file, made, or typed twice) --> POST /users --> its roles, one by one
//! ```

use serde_json::{Value, json};

use super::{
    Api, Exit, Failure, Here,
    api::{ApiError, Held, PersonRow, Query, RoleRow, typed},
    cli::{AddUser, GivenRoles, GrantCommand, UserCommand, standard_roles},
    show::{OneLine, Table},
};
use crate::{
    ids::RoleId,
    tenancy::{Role, RoleRef, Scope},
};

/// The roles that a company made for itself, beside the standard ones.
#[derive(Debug, Default)]
pub(super) struct OwnRoles(Vec<RoleRow>);

impl OwnRoles {
    pub(super) async fn of(api: &Api) -> Result<Self, Failure> {
        let items = api.list("/roles", &Query::default()).await?;
        Ok(Self(items.into_iter().map(typed).collect::<Result<_, _>>()?))
    }

    /// Those that `held` needs names of, where the caller may read them; else they go by their ids.
    pub(super) async fn beside(api: &Api, held: &[Held]) -> Self {
        if held.iter().all(|one| Role::from_code(&one.role).is_some()) {
            return Self::default();
        }
        Self::of(api).await.unwrap_or_default()
    }

    /// The company's own role that goes by this id or name.
    fn own(&self, called: &str) -> Option<&RoleRow> {
        let by_id = self.0.iter().find(|role| role.id == called);
        by_id.or_else(|| self.0.iter().find(|role| role.name.eq_ignore_ascii_case(called)))
    }

    /// As [`Self::own`].
    ///
    /// # Errors
    ///
    /// When there is none.
    pub(super) fn owned(&self, called: &str) -> Result<&RoleRow, Failure> {
        self.own(called).ok_or_else(|| {
            let what = format!("no role of your company's own is called {called}");
            let hint = "see what there is: `caseway role list`; standard roles stay as they are";
            Failure::new(Exit::Refused, what).code("not_found").hint(hint)
        })
    }

    /// The role that was typed: a standard one, or the company's own by id or name.
    pub(super) fn named(&self, called: &str) -> Result<RoleRef, Failure> {
        if let Some(role) = Role::from_code(called) {
            return Ok(role.into());
        }
        let id: Option<RoleId> = self.own(called).and_then(|role| role.id.parse().ok());
        id.map(RoleRef::Individual).ok_or_else(|| {
            Failure::new(Exit::Usage, format!("no role here is called {called}")).hint(format!(
                "standard roles are {}; your company's own: `caseway role list`",
                standard_roles()
            ))
        })
    }

    /// As people call it; standard roles by their code.
    fn title<'a>(&'a self, role: &'a str) -> &'a str {
        self.0.iter().find(|own| own.id == role).map_or(role, |own| &own.name)
    }

    /// `role`, or `role (what it covers)` where that is not everything.
    fn held(&self, held: &Held) -> String {
        let title = self.title(&held.role);
        match held.scope.as_ref().and_then(covered) {
            None => title.to_owned(),
            Some(covered) => format!("{title} ({covered})"),
        }
    }

    pub(super) fn all(&self, held: &[Held]) -> String {
        held.iter().map(|one| self.held(one)).collect::<Vec<_>>().join(", ")
    }

    fn said(&self, held: &[Held]) -> String {
        if held.is_empty() { "without a role".to_owned() } else { self.all(held) }
    }
}

/// What a scope names; nothing where it is everything.
fn covered(scope: &Scope) -> Option<String> {
    let (kind, ids): (_, Vec<&str>) = match scope {
        Scope::Whole => return None,
        Scope::Facilities(some) => ("", some.iter().map(|one| one.as_str()).collect()),
        Scope::ServiceOrganisations(some) => {
            ("service organisation ", some.iter().map(|one| one.as_str()).collect())
        }
        Scope::Customers(some) => ("customer ", some.iter().map(|one| one.as_str()).collect()),
    };
    Some(format!("{kind}{}", ids.join(" ")))
}

impl Here {
    pub(super) async fn user(&self, command: UserCommand) -> Result<(), Failure> {
        match command {
            UserCommand::List => self.people().await,
            UserCommand::Add(add) => self.add_person(add).await,
            UserCommand::Role(GrantCommand::Add { email, role, scope }) => {
                self.give_role(&email, &role, &scope.scope()).await
            }
            UserCommand::Role(GrantCommand::Remove { email, role }) => {
                self.take_role(&email, &role).await
            }
            UserCommand::Disable { email } => self.set_active(&email, false).await,
            UserCommand::Enable { email } => self.set_active(&email, true).await,
            UserCommand::Remove { email } => self.remove_person(&email).await,
        }
    }

    async fn people(&self) -> Result<(), Failure> {
        let api = self.api()?;
        let items = api.list("/users", &Query::default()).await?;
        let own = OwnRoles::of(&api).await?;
        let mut table = Table::new(["E-MAIL", "NAME", "ACTIVE", "ROLES"], "no people");
        for item in items {
            self.terminal.value(&item);
            let person: PersonRow = typed(item)?;
            let active = if person.active { "yes" } else { "no" }.to_owned();
            let roles = own.all(&person.assignments);
            table.row([person.email, person.name, active, roles]);
        }
        self.terminal.data(table);
        Ok(())
    }

    async fn add_person(&self, add: AddUser) -> Result<(), Failure> {
        let AddUser { email, name, given: GivenRoles { roles, scope }, password } = add;
        let (api, scope) = (self.api()?, scope.scope());
        // A role that is none is better known before somebody is there without it.
        let own = if roles.is_empty() { OwnRoles::default() } else { OwnRoles::of(&api).await? };
        let roles: Vec<RoleRef> =
            roles.iter().map(|role| own.named(role)).collect::<Result<_, _>>()?;
        let secret = password.obtained(&format!("password for {email}: "))?;
        let body = json!({"email": email, "name": name, "password": secret.expose()});
        let added: Result<Value, ApiError> = api.post("/users", &body).await;
        let mut item = added.inspect_err(|_| password.forgotten())?;
        let person: PersonRow = typed(item.clone())?;
        let mut held = Vec::new();
        for role in &roles {
            let given = assign(&api, &person, role, &scope).await.map_err(|error| {
                let failure = Failure::from(error);
                let what =
                    format!("{} was added, but is no {role}: {}", person.email, failure.what);
                let again = format!("`caseway user role add {} {role}`", person.email);
                Failure { what, ..failure }.hint(format!("when that is mended: {again}"))
            })?;
            held.push(given);
        }
        if let Some(fields) = item.as_object_mut() {
            fields.insert("assignments".to_owned(), json!(held));
            fields.insert("password_file".to_owned(), json!(password.password_out));
        }
        self.terminal.value(&item);
        let held: Vec<Held> = held.into_iter().map(typed).collect::<Result<_, _>>()?;
        self.terminal.data(OneLine(format!("{}: added, {}", person.email, own.said(&held))));
        if let Some(out) = &password.password_out {
            let note =
                format!("the password is in {}: hand it over, then remove it", out.display());
            self.terminal.note(OneLine(note));
        }
        Ok(())
    }

    async fn give_role(&self, email: &str, role: &str, scope: &Scope) -> Result<(), Failure> {
        let api = self.api()?;
        let own = OwnRoles::of(&api).await?;
        let role = own.named(role)?;
        let person = person(&api, email).await?;
        let item = assign(&api, &person, &role, scope).await?;
        self.terminal.value(&item);
        let given: Held = typed(item)?;
        self.terminal.data(OneLine(format!("{}: now {}", person.email, own.held(&given))));
        Ok(())
    }

    /// Takes every assignment of `role` away: each scope has its own.
    async fn take_role(&self, email: &str, role: &str) -> Result<(), Failure> {
        let api = self.api()?;
        let own = OwnRoles::of(&api).await?;
        let role = own.named(role)?.to_string();
        let found = person(&api, email).await?;
        let held = found.assignments.iter().filter(|one| one.role == role);
        let held: Vec<&str> = held.map(|one| one.id.as_str()).collect();
        if held.is_empty() {
            let what = format!("{} is no {}", found.email, own.title(&role));
            return Err(Failure::new(Exit::Refused, what)
                .code("not_found")
                .hint("see who is what: `caseway user list`"));
        }
        for assignment in held {
            let path = format!("/users/{}/assignments/{assignment}", found.id);
            api.delete(&path).await?;
        }
        let left = person(&api, email).await?;
        self.terminal.value(&json!({"id": left.id, "email": left.email, "removed": role}));
        let said = own.said(&left.assignments);
        let role = own.title(&role);
        self.terminal.data(OneLine(format!("{}: no {role} any more, {said}", left.email)));
        Ok(())
    }

    async fn set_active(&self, email: &str, active: bool) -> Result<(), Failure> {
        let api = self.api()?;
        let person = person(&api, email).await?;
        let path = format!("/users/{}/active", person.id);
        let item: Value = api.put(&path, &json!({"active": active})).await?;
        self.terminal.value(&item);
        let said = if active { "let in again" } else { "let in no more" };
        self.terminal.data(OneLine(format!("{}: {said}", person.email)));
        Ok(())
    }

    async fn remove_person(&self, email: &str) -> Result<(), Failure> {
        let api = self.api()?;
        let person = person(&api, email).await?;
        api.delete(&format!("/users/{}", person.id)).await?;
        self.terminal.value(&json!({"id": person.id, "email": person.email, "removed": true}));
        self.terminal.data(OneLine(format!("{}: removed", person.email)));
        Ok(())
    }
}

/// The colleague who logs in as `email`.
pub(super) async fn person(api: &Api, email: &str) -> Result<PersonRow, Failure> {
    let people = api.list("/users", &Query::default()).await?;
    let people: Vec<PersonRow> = people.into_iter().map(typed).collect::<Result<_, _>>()?;
    let found = people.into_iter().find(|one| one.email.eq_ignore_ascii_case(email));
    found.ok_or_else(|| {
        Failure::new(Exit::Refused, format!("nobody here logs in as {email}"))
            .code("not_found")
            .hint("see who there is: `caseway user list`")
    })
}

async fn assign(
    api: &Api,
    person: &PersonRow,
    role: &RoleRef,
    scope: &Scope,
) -> Result<Value, ApiError> {
    let path = format!("/users/{}/assignments", person.id);
    api.post(&path, &json!({"role": role, "scope": scope})).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> OwnRoles {
        let roles = json!([
            {"id": "r-1", "name": "Night shift", "permissions": ["read_asset"], "inert": []},
            {"id": "night-shift", "name": "Another", "permissions": [], "inert": []},
        ]);
        OwnRoles(typed(roles).unwrap())
    }

    #[test]
    fn roles_are_said_with_what_they_cover() {
        let held: Vec<Held> = typed(json!([
            {"id": "a", "role": "workshop_manager", "scope": "whole"},
            {"id": "b", "role": "machine_operator", "scope": {"facilities": ["hall-1", "hall-2"]}},
            {"id": "c", "role": "service_technician", "scope": {"customers": ["aurora"]}},
            {"id": "d", "role": "r-1", "scope": {"service_organisations": ["south"]}},
            {"id": "e", "role": "gone", "scope": "whole"},
        ]))
        .unwrap();
        insta::assert_snapshot!(own().said(&held).replace(", ", "\n"), @r"
        workshop_manager
        machine_operator (hall-1 hall-2)
        service_technician (customer aurora)
        Night shift (service organisation south)
        gone
        ");
        assert_eq!(own().said(&[]), "without a role");
    }

    #[test]
    fn a_role_goes_by_its_code_its_id_or_its_name() {
        let named = |called: &str| own().named(called).map(|role| role.to_string());
        assert_eq!(named("workshop_manager").unwrap(), "workshop_manager");
        assert_eq!(named("night SHIFT").unwrap(), "r-1");
        assert_eq!(named("night-shift").unwrap(), "night-shift");
        let failure = named("boss").unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        let said = failure.to_string();
        assert!(said.contains("boss") && said.contains("service_technician"), "{said}");
    }
}
