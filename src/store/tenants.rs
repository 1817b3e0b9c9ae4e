//! A company's own row: its name, its settings, and the roles that it holds.

use std::collections::BTreeSet;

use super::{
    By, Conflict, Object, Store, StoreError, WriteError, Written,
    act::by_gateway,
    people::tenants_of,
    rows::{Cells, code},
};
use crate::{
    audit::Event,
    clock::Now,
    ids::{GatewayId, TenantId},
    tenancy::{Permission, Settings, Tenant, TenantRole},
};

/// A company's name at most, in bytes.
const NAME_BYTES_MAX: usize = 200;

impl Store {
    /// What a tenant decided for itself.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn settings(&self, tenant: &TenantId) -> Result<Settings, StoreError> {
        let mut reading = self.reading().await?;
        let row =
            sqlx::query("SELECT internal_service_switches, case_reader FROM tenants WHERE id = $1")
                .bind(tenant.as_str())
                .fetch_optional(&mut *reading)
                .await?;
        row.map_or_else(|| Ok(Settings::default()), |row| settings_in(&Cells::of("tenants", &row)))
    }

    /// Changes the settings of the asker's tenant.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn set_settings(
        &self,
        by: &By,
        settings: Settings,
        now: Now,
    ) -> Result<Written<Settings>, WriteError> {
        let mut allowed = self.managing(by, None, Permission::ManageCompany, now).await?;
        let Some(tenant) = allowed.tenant().cloned() else { return Err(allowed.not_found().await) };
        let old = allowed.facts.settings;
        sqlx::query(
            "UPDATE tenants SET internal_service_switches = $2, case_reader = $3 WHERE id = $1",
        )
        .bind(tenant.as_str())
        .bind(i64::from(settings.internal_service_switches))
        .bind(code(&settings.case_reader))
        .execute(allowed.rows())
        .await?;
        allowed.touch(Object::Tenant(tenant.clone()));
        allowed.tell(Event::TenantChanged, |entry| {
            entry.object = Some(format!("tenant/{tenant}"));
            entry.old = serde_json::to_string(&old).ok();
            entry.new = serde_json::to_string(&settings).ok();
        });
        Ok(allowed.written(settings).await?)
    }

    /// Renames the asker's tenant.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn rename_tenant(
        &self,
        by: &By,
        name: &str,
        now: Now,
    ) -> Result<Written<Tenant>, WriteError> {
        let name = company_name(name)?;
        let mut allowed = self.managing(by, None, Permission::ManageCompany, now).await?;
        let Some(mut tenant) = allowed.facts.tenant.clone() else {
            return Err(allowed.not_found().await);
        };
        let old = std::mem::replace(&mut tenant.name, name);
        sqlx::query("UPDATE tenants SET name = $2 WHERE id = $1")
            .bind(tenant.id.as_str())
            .bind(&tenant.name)
            .execute(allowed.rows())
            .await?;
        allowed.touch(Object::Tenant(tenant.id.clone()));
        allowed.tell(Event::TenantChanged, |entry| {
            entry.object = Some(format!("tenant/{}", tenant.id));
            (entry.old, entry.new) = (Some(old), Some(tenant.name.clone()));
        });
        Ok(allowed.written(tenant).await?)
    }

    /// Sets the roles that a company holds. What they no longer stand behind is inert at once.
    ///
    /// Nobody inside a company may: this is the platform's own administrator, on the gateway's host.
    ///
    /// # Errors
    ///
    /// [`WriteError`]; [`Conflict`] where there is no such company.
    pub async fn set_tenant_roles(
        &self,
        tenant: &TenantId,
        roles: &BTreeSet<TenantRole>,
        gateway: &GatewayId,
        now: Now,
    ) -> Result<Written<Tenant>, WriteError> {
        let lone = roles.contains(&TenantRole::OperatorInternalService)
            && !roles.contains(&TenantRole::Operator);
        if lone {
            let why = "operator_internal_service is an addition to operator and goes with it";
            return Err(Conflict::Invalid(why).into());
        }
        let mut act = self.act().await?;
        let found = tenants_of(act.rows(), [Some(tenant), None, None]).await?.pop();
        let mut found = found.ok_or(Conflict::Invalid("there is no company of that id"))?;
        let old = std::mem::take(&mut found.roles);
        found.roles = roles.iter().copied().chain([TenantRole::Basic]).collect();
        sqlx::query("DELETE FROM tenant_roles WHERE tenant = $1")
            .bind(tenant.as_str())
            .execute(act.rows())
            .await?;
        for role in &found.roles {
            sqlx::query("INSERT INTO tenant_roles (tenant, role) VALUES ($1, $2)")
                .bind(tenant.as_str())
                .bind(code(role))
                .execute(act.rows())
                .await?;
        }
        act.touch(Object::Tenant(tenant.clone()));
        let mut entry = by_gateway(now.wall, gateway, Event::TenantRolesSet);
        entry.object = Some(format!("tenant/{tenant}"));
        (entry.old, entry.new) = (Some(said(&old)), Some(said(&found.roles)));
        act.tell(entry);
        Ok(act.written(found).await?)
    }

    /// Every company, by id.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn tenants(&self) -> Result<Vec<Tenant>, StoreError> {
        let mut reading = self.reading().await?;
        let rows =
            sqlx::query("SELECT id FROM tenants ORDER BY id").fetch_all(&mut *reading).await?;
        let mut tenants = Vec::with_capacity(rows.len());
        for row in &rows {
            let id: TenantId = Cells::of("tenants", row).id("id")?;
            tenants.extend(tenants_of(&mut reading, [Some(&id), None, None]).await?);
        }
        Ok(tenants)
    }
}

pub(super) fn company_name(name: &str) -> Result<String, Conflict> {
    let name = name.trim();
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Err(Conflict::Invalid("name: a company's name has 1 to 200 bytes"));
    }
    Ok(name.to_owned())
}

fn said(roles: &BTreeSet<TenantRole>) -> String {
    roles.iter().map(code).collect::<Vec<_>>().join(" ")
}

pub(super) fn settings_in(cells: &Cells<'_>) -> Result<Settings, StoreError> {
    Ok(Settings {
        internal_service_switches: cells.flag("internal_service_switches")?,
        case_reader: cells.code("case_reader")?,
    })
}
