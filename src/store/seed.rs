//! The first rows, for `init` and `demo`.

use super::{
    Object, Store, StoreError, act,
    act::Act,
    assignments::insert_assignment,
    cases::{insert_case, number_from, number_in},
    customers::ensure_customer,
    devices::insert_device,
    facilities::insert_facility,
    machines::{insert_asset, insert_machine},
    models::{insert_model, insert_template},
    people::{insert_person, insert_tenant},
    rows::Cells,
    tunnels::insert_tunnel,
};
use crate::{
    audit::Event,
    cases::Case,
    clock::Now,
    ids::{GatewayId, Revision},
    machines::{Asset, CustomerMachine, Device, Facility, Model, Template, Tunnel},
    secret::SecretText,
    tenancy::{Assignment, Person, Tenant},
};

/// A person, with what a log-in is checked against.
#[derive(Clone, Debug)]
pub struct SeedPerson {
    pub person: Person,
    /// An argon2 hash (PHC text).
    pub password_hash: Option<SecretText>,
}

/// The first rows of an empty database.
#[derive(Clone, Debug, Default)]
pub struct Seed {
    pub tenants: Vec<Tenant>,
    pub people: Vec<SeedPerson>,
    pub assignments: Vec<Assignment>,
    pub devices: Vec<Device>,
    /// Those that assets name and that are not here are called by their ids.
    pub facilities: Vec<Facility>,
    /// No machine is of one yet.
    pub models: Vec<Model>,
    pub templates: Vec<Template>,
    pub assets: Vec<Asset>,
    pub machines: Vec<CustomerMachine>,
    pub tunnels: Vec<Tunnel>,
    /// Ids as given; new cases are numbered after the highest `CASE-n`.
    pub cases: Vec<Case>,
}

impl Store {
    /// Writes the first rows, all or none; recorded as the gateway's act.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotEmpty`] when there is a tenant already.
    pub async fn seed(&self, seed: &Seed, gateway: &GatewayId, now: Now) -> Result<(), StoreError> {
        let mut act = self.act().await?;
        let row = sqlx::query("SELECT COUNT(*) AS rows FROM tenants").fetch_one(act.rows()).await?;
        if Cells::of("tenants", &row).number("rows")? > 0 {
            return Err(StoreError::NotEmpty);
        }
        companies(&mut act, seed).await?;
        machines(&mut act, seed).await?;
        for tenant in &seed.tenants {
            act.touch(Object::Tenant(tenant.id.clone()));
        }
        let mut entry = act::by_gateway(now.wall, gateway, Event::Seeded);
        entry.new = Some(format!(
            "{} tenants, {} people, {} devices, {} assets, {} cases",
            seed.tenants.len(),
            seed.people.len(),
            seed.devices.len(),
            seed.assets.len(),
            seed.cases.len(),
        ));
        act.tell(entry);
        act.commit().await?;
        Ok(())
    }
}

async fn companies(act: &mut Act, seed: &Seed) -> Result<(), StoreError> {
    for tenant in &seed.tenants {
        insert_tenant(act.rows(), tenant).await?;
    }
    for one in &seed.people {
        insert_person(act.rows(), &one.person, one.password_hash.as_ref()).await?;
    }
    for assignment in &seed.assignments {
        insert_assignment(act.rows(), assignment).await?;
    }
    Ok(())
}

async fn machines(act: &mut Act, seed: &Seed) -> Result<(), StoreError> {
    for device in &seed.devices {
        let of = |asset: &&Asset| asset.device.as_ref() == Some(&device.id);
        let multi = seed.assets.iter().filter(of).count() > 1;
        insert_device(act.rows(), device, multi).await?;
    }
    for facility in &seed.facilities {
        insert_facility(act.rows(), facility).await?;
    }
    for model in &seed.models {
        insert_model(act.rows(), model, Revision::default()).await?;
    }
    for template in &seed.templates {
        insert_template(act.rows(), template, Revision::default()).await?;
    }
    for asset in &seed.assets {
        if let Some(id) = asset.facility.clone() {
            let (operator, name) = (asset.operator.clone(), id.to_string());
            insert_facility(act.rows(), &Facility { id, operator, name }).await?;
        }
        insert_asset(act.rows(), asset).await?;
    }
    for machine in &seed.machines {
        insert_machine(act.rows(), machine).await?;
        ensure_customer(act.rows(), machine).await?;
    }
    for tunnel in &seed.tunnels {
        insert_tunnel(act.rows(), tunnel).await?;
    }
    let mut last = seed.cases.iter().filter_map(|case| number_in(&case.id)).max().unwrap_or(0);
    for case in &seed.cases {
        let number = number_in(&case.id).unwrap_or_else(|| {
            last += 1;
            last
        });
        insert_case(act.rows(), number, case).await?;
    }
    number_from(act.rows(), last).await
}
