//! Links between a provider's machine and an operator's asset.
//!
//! ```text
//!          provider proposes              operator accepts
//!   New -----------------------> Proposed -----------------> Linked
//!    ^                              |                           |
//!    +------ declined, withdrawn ---+------ either side removes +
//! ```
//!
//! Both sides know the machine by its serial number. A proposal goes to the asset of that number in
//! the customer's own company; where there is none, one is made, which its operator finds among its
//! assets as proposed (INF). So a provider learns of no asset before its operator accepts.

use sqlx::SqliteConnection;

use super::{
    By, Conflict, Listed, Object, Page, Store, StoreError, Subject, WriteError, Written,
    act::{Allowed, Ask},
    customers::customer_of,
    inherit,
    machines::{insert_asset, link_parts, machine_in, machine_of, machines_on, write_link},
    people::person_of,
    rows::Cells,
};
use crate::{
    audit::Event,
    authz::{Action, Denial, Reason},
    cases::Switch,
    clock::Now,
    ids::{AssetId, MachineId, PersonId, TenantId},
    machines::{Asset, CustomerMachine, Link},
};

/// Proposals that one operator has not answered at most: past it, its providers wait.
pub const PROPOSALS_MAX: u64 = 500;

impl Store {
    /// The proposals and links that `who` may see on either side, by machine. A page may hold fewer
    /// than was asked for.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn links(
        &self,
        who: &PersonId,
        page: &Page,
        now: Now,
    ) -> Result<Listed<CustomerMachine>, StoreError> {
        let mut reading = self.reading().await?;
        let rows = sqlx::query(
            "SELECT m.id, m.provider, m.customer, m.serial, m.link, m.asset \
             FROM machines m JOIN assets a ON a.id = m.asset JOIN people p ON p.id = $1 \
             WHERE (m.provider = p.tenant OR a.operator = p.tenant) AND m.id > $2 \
             ORDER BY m.id LIMIT $3",
        )
        .bind(who.as_str())
        .bind(page.after.as_deref().unwrap_or_default())
        .bind(page.limit())
        .fetch_all(&mut *reading)
        .await?;
        let found = rows.iter().map(|row| machine_in(&Cells::of("machines", row)));
        let found = found.collect::<Result<_, StoreError>>()?;
        let mut listed = page.cut(found, |machine: &CustomerMachine| machine.id.to_string());
        let mut seen = Vec::new();
        for machine in listed.items {
            let as_provider = self.reads_machine(&mut reading, who, &machine.id, now.wall).await?;
            let asset = link_parts(&machine.link).1.cloned();
            let as_operator = match asset {
                Some(asset) if !as_provider => {
                    let subject = Subject::asset(who.clone(), asset.clone());
                    let action = Action::ReadAsset(asset);
                    self.allows(&mut reading, &subject, action, now.wall).await?
                }
                Some(_) | None => false,
            };
            if as_provider || as_operator {
                seen.push(machine);
            }
        }
        listed.items = seen;
        Ok(listed)
    }

    /// Proposes a machine to the company that its customer has become.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn propose_link(
        &self,
        by: &By,
        machine: &MachineId,
        now: Now,
    ) -> Result<Written<CustomerMachine>, WriteError> {
        let mut allowed = self.proposing(by, machine, now).await?;
        let Some(found) = allowed.facts.machine.clone() else {
            return Err(allowed.not_found().await);
        };
        if found.link != Link::New {
            return Err(Conflict::Exists("a proposal or a link for this machine".to_owned()).into());
        }
        let customer = customer_of(allowed.rows(), &found.provider, &found.customer).await?;
        let Some(operator) = customer.and_then(|customer| customer.tenant) else {
            let why = "machine: its customer has no company here yet; invite the customer first";
            return Err(Conflict::Invalid(why).into());
        };
        if open_proposals(allowed.rows(), &operator).await? >= PROPOSALS_MAX {
            let why = "the operator has 500 proposals to answer; wait until it has answered some";
            return Err(Conflict::Limit(why).into());
        }
        let asset = asset_for(&mut allowed, &operator, &found.serial).await?;
        relink(allowed, found, Link::Proposed { asset }).await
    }

    /// Accepts or declines a proposal, as the operator.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn answer_link(
        &self,
        by: &By,
        machine: &MachineId,
        accept: bool,
        now: Now,
    ) -> Result<Written<CustomerMachine>, WriteError> {
        let mut allowed = self.answering(by, machine, now).await?;
        let Some(found) = allowed.facts.machine.clone() else {
            return Err(allowed.not_found().await);
        };
        let Link::Proposed { asset } = found.link.clone() else {
            return Err(Conflict::Invalid("this machine is not proposed").into());
        };
        if !accept {
            return relink(allowed, found, Link::New).await;
        }
        let others = machines_on(allowed.rows(), &asset).await?;
        if others.iter().any(|one| matches!(one.link, Link::Linked { .. })) {
            let why = "a link of this asset; remove it before another provider is accepted";
            return Err(Conflict::Exists(why.to_owned()).into());
        }
        relink(allowed, found, Link::Linked { asset }).await
    }

    /// Takes a link or a proposal away, from either side; the provider's sessions end.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn remove_link(
        &self,
        by: &By,
        machine: &MachineId,
        now: Now,
    ) -> Result<Written<CustomerMachine>, WriteError> {
        let (tenant, provider) = {
            let mut reading = self.reading().await?;
            let tenant = person_of(&mut reading, &by.person).await?.map(|person| person.tenant);
            (tenant, machine_of(&mut reading, machine).await?.map(|machine| machine.provider))
        };
        let allowed = if tenant == provider {
            self.proposing(by, machine, now).await?
        } else {
            self.answering(by, machine, now).await?
        };
        let Some(found) = allowed.facts.machine.clone() else {
            return Err(allowed.not_found().await);
        };
        if found.link == Link::New {
            return Err(Conflict::Invalid("this machine has no link").into());
        }
        relink(allowed, found, Link::New).await
    }
}

impl Store {
    async fn proposing(
        &self,
        by: &By,
        machine: &MachineId,
        now: Now,
    ) -> Result<Allowed, WriteError> {
        let mut subject = Subject::of(by.person.clone());
        subject.machine = Some(machine.clone());
        let object = Some(format!("machine/{machine}"));
        let ask = Ask { by, subject, refused: Event::Refused, object, now };
        self.judged(ask, |_| Action::ProposeMachine(machine.clone())).await
    }

    /// Lets the operator of the asset, for which the machine is proposed or linked, at the link.
    async fn answering(
        &self,
        by: &By,
        machine: &MachineId,
        now: Now,
    ) -> Result<Allowed, WriteError> {
        let found = machine_of(&mut *self.reading().await?, machine).await?;
        let Some(asset) = found.and_then(|found| link_parts(&found.link).1.cloned()) else {
            return Err(WriteError::Denied(Denial { reason: Reason::NotFound, visible: false }));
        };
        let mut subject = Subject::asset(by.person.clone(), asset.clone());
        subject.machine = Some(machine.clone());
        let object = Some(format!("machine/{machine}"));
        let ask = Ask { by, subject, refused: Event::Refused, object, now };
        let allowed = self.judged(ask, |_| Action::AnswerProposal(asset.clone())).await?;
        // Within the transaction: the machine is still this asset's.
        let still = allowed.facts.machine.as_ref().and_then(|found| link_parts(&found.link).1);
        if still == Some(&asset) { Ok(allowed) } else { Err(allowed.not_found().await) }
    }
}

/// Writes the link; whoever had something by it is judged again.
async fn relink(
    mut allowed: Allowed,
    mut machine: CustomerMachine,
    to: Link,
) -> Result<Written<CustomerMachine>, WriteError> {
    let old = std::mem::replace(&mut machine.link, to);
    write_link(allowed.rows(), &machine).await?;
    allowed.touch(Object::Machine(machine.id.clone()));
    let asset = [&old, &machine.link].into_iter().find_map(|link| link_parts(link).1.cloned());
    if let Some(asset) = &asset {
        allowed.touch(Object::Asset(asset.clone()));
        // What the machine's model brings to the asset comes and goes with the link.
        match (&old, &machine.link) {
            (_, Link::Linked { .. }) => inherit::linked(&mut allowed, &machine.id, asset).await?,
            (Link::Linked { .. }, _) => {
                inherit::unlinked(&mut allowed, &machine.provider, asset).await?;
            }
            (Link::New | Link::Proposed { .. }, Link::New | Link::Proposed { .. }) => {}
        }
    }
    allowed.tell(Event::LinkChanged, |entry| {
        entry.object = Some(format!("machine/{}", machine.id));
        entry.asset = asset;
        entry.old = Some(link_parts(&old).0.to_owned());
        entry.new = Some(link_parts(&machine.link).0.to_owned());
    });
    Ok(allowed.written(machine).await?)
}

/// The operator's asset of this serial number; made, where there is none.
async fn asset_for(
    allowed: &mut Allowed,
    operator: &TenantId,
    serial: &str,
) -> Result<AssetId, WriteError> {
    let row = sqlx::query(
        "SELECT id FROM assets WHERE operator = $1 AND LOWER(serial) = LOWER($2) \
         ORDER BY id LIMIT 1",
    )
    .bind(operator.as_str())
    .bind(serial)
    .fetch_optional(allowed.rows())
    .await?;
    if let Some(row) = row {
        return Ok(Cells::of("assets", &row).id("id")?);
    }
    let asset = Asset {
        id: super::fresh_id()?,
        operator: operator.clone(),
        name: serial.to_owned(),
        serial: serial.to_owned(),
        facility: None,
        active: true,
        switch: Switch::default(),
        device: None,
    };
    insert_asset(allowed.rows(), &asset).await?;
    allowed.tell(Event::AssetCreated, |entry| {
        entry.object = Some(format!("asset/{}", asset.id));
        entry.asset = Some(asset.id.clone());
        entry.new = Some(asset.name.clone());
    });
    Ok(asset.id)
}

async fn open_proposals(
    conn: &mut SqliteConnection,
    operator: &TenantId,
) -> Result<u64, StoreError> {
    let row = sqlx::query(
        "SELECT COUNT(*) AS open FROM machines m JOIN assets a ON a.id = m.asset \
         WHERE a.operator = $1 AND m.link = 'proposed'",
    )
    .bind(operator.as_str())
    .fetch_one(conn)
    .await?;
    Cells::of("machines", &row).count("open")
}
