//! Making a data directory: CA, warrant key, database, and who may log in first.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::files::{self, DataDir, FileError};
use crate::{
    clock::Now,
    console::{PasswordError, hash_password},
    ids::GatewayId,
    registry::Registry,
    secret::{NoRandomness, SecretText},
    store::{Limits, Seed, SeedPerson, Store, StoreError},
    tenancy::{Assignment, Person, Role, Scope, Tenant, TenantRole},
    tls::{Ca, CaError},
    token::BearerToken,
};

/// What a first tenant is called where nothing else is said.
const TENANT_DEFAULT: &str = "My company";
/// The first administrator's id.
const ADMIN: &str = "admin";
/// The longest name or address, in bytes.
const TEXT_BYTES_MAX: usize = 256;

/// What `init` is asked for.
#[derive(Clone, Debug)]
pub struct Init {
    pub dir: PathBuf,
    /// What the gateway is reached by; already checked.
    pub names: Vec<String>,
    /// The text of `gateway.toml`.
    pub config: String,
    /// The first tenant's name.
    pub tenant: String,
    pub roles: BTreeSet<TenantRole>,
    /// The first Tenant Admin's e-mail address.
    pub admin: String,
    /// Its first line is the password; without it one is made.
    pub password_file: Option<PathBuf>,
}

impl Init {
    /// The defaults: a company that runs machines and serves them itself.
    #[must_use]
    pub fn new(dir: PathBuf) -> Self {
        Self {
            dir,
            names: vec!["localhost".into(), "127.0.0.1".into()],
            config: String::new(),
            tenant: TENANT_DEFAULT.into(),
            roles: [TenantRole::Operator, TenantRole::OperatorInternalService].into(),
            admin: "admin@localhost".into(),
            password_file: None,
        }
    }
}

/// What `init` made.
#[derive(Clone, Debug)]
pub struct Made {
    pub config: PathBuf,
    pub ca: PathBuf,
    pub names: Vec<String>,
    pub admin: String,
    pub password_file: PathBuf,
}

/// Why nothing, or not all, was made.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    #[error("{} is not empty; name a directory that is, or does not exist", dir.display())]
    NotEmpty { dir: PathBuf },
    /// What was asked for cannot be.
    #[error("{0}")]
    Ask(String),
    #[error("the password in {}", path.display())]
    Password { path: PathBuf, source: PasswordError },
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Ca(#[from] CaError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<NoRandomness> for InitError {
    fn from(fault: NoRandomness) -> Self {
        Self::File(fault.into())
    }
}

/// Parses a tenant role as `init` takes it.
///
/// # Errors
///
/// What was expected.
pub fn tenant_role(text: &str) -> Result<TenantRole, String> {
    match text {
        "operator" => Ok(TenantRole::Operator),
        "operator_internal_service" => Ok(TenantRole::OperatorInternalService),
        "service_provider" => Ok(TenantRole::ServiceProvider),
        _ => Err("expected operator, operator_internal_service or service_provider".into()),
    }
}

/// Makes everything, or says why not. What is wrong with the asking is said before anything is made.
///
/// # Errors
///
/// [`InitError`].
pub async fn init(ask: Init) -> Result<Made, InitError> {
    let Init { dir, names, config, tenant, roles, admin, password_file } = ask;
    let dir = DataDir::new(dir);
    let seed = first_rows(&tenant, roles, &admin)?;
    let (password, password_file, made) = match password_file {
        Some(path) => (password_in(&path)?, path, false),
        None => (BearerToken::fresh()?.text(), dir.admin_password(), true),
    };
    let hash = hash_password(&password)
        .map_err(|source| InitError::Password { path: password_file.clone(), source })?;
    found(dir.path(), &tenant, &with_password(seed, &hash)).await?;
    files::write_new(&dir.config(), &config, 0o640)?;
    if made {
        files::write_new(&password_file, &format!("{}\n", password.expose()), 0o600)?;
    }
    Ok(Made { config: dir.config(), ca: dir.ca(), names, admin, password_file })
}

/// Makes a data directory without a config file: CA, warrant key, and a database with `seed`.
///
/// # Errors
///
/// [`InitError`]; a directory that is not empty is left as it is.
pub async fn found(dir: &Path, name: &str, seed: &Seed) -> Result<(), InitError> {
    let dir = DataDir::new(dir.to_owned());
    if !dir.make()? {
        return Err(InitError::NotEmpty { dir: dir.path().to_owned() });
    }
    let now = Now::read();
    Ca::create(dir.path(), &format!("Caseway CA, {name}"), now.wall)?;
    dir.make_warrant_key()?;
    let registry = Arc::new(Registry::default());
    let store = Store::open(&dir.database(), registry, Limits::default()).await?;
    let seeded = store.seed(seed, &first_gateway(), now).await;
    store.close().await;
    Ok(seeded?)
}

/// The gateway that the first rows are recorded for.
#[expect(clippy::expect_used, reason = "the text is on the same line")]
pub(super) fn first_gateway() -> GatewayId {
    "gateway-1".parse().expect("invariant: a label")
}

fn password_in(path: &Path) -> Result<SecretText, InitError> {
    let text = files::read(path)?;
    Ok(SecretText::new(text.lines().next().unwrap_or_default().to_owned()))
}

fn first_rows(tenant: &str, roles: BTreeSet<TenantRole>, admin: &str) -> Result<Seed, InitError> {
    let wrong = |what: &str| InitError::Ask(what.to_owned());
    let is_text = |text: &str| {
        (1..=TEXT_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control)
    };
    if !is_text(tenant.trim()) {
        return Err(wrong("--tenant: expected a name of 1 to 256 bytes"));
    }
    if !is_text(admin) || !admin.contains('@') {
        return Err(wrong("--admin: expected an e-mail address"));
    }
    if roles.contains(&TenantRole::OperatorInternalService)
        && !roles.contains(&TenantRole::Operator)
    {
        return Err(wrong("--role operator_internal_service goes with --role operator"));
    }
    let id = slug(tenant).parse().map_err(|_| wrong("--tenant: expected letters or digits"))?;
    let person = ADMIN.parse().map_err(|_| wrong("--admin: expected an e-mail address"))?;
    let tenant = Tenant {
        id,
        name: tenant.trim().to_owned(),
        active: true,
        roles: roles.into_iter().chain([TenantRole::Basic]).collect(),
    };
    let person = Person {
        id: person,
        tenant: tenant.id.clone(),
        email: admin.to_lowercase(),
        name: "Administrator".into(),
        active: true,
    };
    let assignment = Assignment {
        id: "admin-1".parse().map_err(|_| wrong("--admin: expected an e-mail address"))?,
        person: person.id.clone(),
        role: Role::TenantAdmin,
        scope: Scope::Whole,
    };
    Ok(Seed {
        tenants: vec![tenant],
        people: vec![SeedPerson { person, password_hash: None }],
        assignments: vec![assignment],
        ..Seed::default()
    })
}

fn with_password(mut seed: Seed, hash: &str) -> Seed {
    for person in &mut seed.people {
        person.password_hash = Some(SecretText::new(hash.to_owned()));
    }
    seed
}

/// A name as an id: letters and digits, hyphens for the rest.
fn slug(name: &str) -> String {
    let words: Vec<String> = name
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    let mut slug = words.join("-");
    slug.truncate(63);
    slug.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_company_name_becomes_an_id() {
        assert_eq!(slug("Müller & Söhne GmbH"), "m-ller-s-hne-gmbh");
        assert_eq!(slug(&"a ".repeat(100)).len(), 63);
        assert_eq!(slug("---"), "");
    }

    #[tokio::test]
    async fn what_is_wrong_is_said_before_anything_is_made() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("data");
        let short = home.path().join("short");
        std::fs::write(&short, "short\n").unwrap();
        let asks: [fn(&mut Init, &Path); 5] = [
            |ask, _| ask.tenant = "!!".into(),
            |ask, _| ask.admin = "nobody".into(),
            |ask, _| ask.roles = [TenantRole::OperatorInternalService].into(),
            |ask, _| ask.password_file = Some("/nonexistent".into()),
            |ask, short| ask.password_file = Some(short.to_owned()),
        ];
        for change in asks {
            let mut ask = Init::new(dir.clone());
            change(&mut ask, &short);
            init(ask).await.unwrap_err();
            assert!(!dir.exists());
        }
        let mut ask = Init::new(home.path().to_owned());
        ask.config = "x".into();
        let fault = init(ask).await.unwrap_err().to_string();
        assert!(fault.ends_with("is not empty; name a directory that is, or does not exist"));
    }
}
