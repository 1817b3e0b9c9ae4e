//! Sessions, assets, edge devices and the audit log: what runs, and what it runs on.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{
    Api, Exit, Failure, Here,
    api::{AssetRow, DeviceRow, Enrolment, Named, Query, SessionRow, typed},
    cli::DeviceCommand,
    show::{Clock, OneLine, Table, bytes},
    state::write_private,
};
use crate::{
    clock::Wall,
    ids::{AssetId, CaseId, DeviceId, SessionId},
};

impl Here {
    pub(super) async fn sessions(&self, all: bool) -> Result<(), Failure> {
        let query = Query::default().and_if("all", all.then_some("true"));
        let items = self.api()?.list("/sessions", &query).await?;
        let clock = self.clock();
        let heading = ["SESSION", "FROM", "TUNNEL", "PERSON", "STATE", "STARTED", "UP", "DOWN"];
        let mut table = Table::new(heading, "no sessions");
        for item in items {
            self.terminal.value(&item);
            table.row(session_cells(&typed(item)?, &clock));
        }
        self.terminal.data(table);
        Ok(())
    }

    pub(super) async fn end(&self, session: &SessionId) -> Result<(), Failure> {
        let item = self.api()?.delete(&format!("/sessions/{session}")).await?;
        self.terminal.value(&item);
        self.terminal.data(format_args!("{session}: ended"));
        Ok(())
    }

    pub(super) async fn assets(&self) -> Result<(), Failure> {
        let items = self.api()?.list("/assets", &Query::default()).await?;
        let heading = ["ASSET", "NAME", "SERIAL", "FACILITY", "DEVICE", "REMOTE ACCESS", "STATUS"];
        let mut table = Table::new(heading, "no assets");
        for item in items {
            self.terminal.value(&item);
            let asset: AssetRow = typed(item)?;
            let switch = asset.switch.map(|switch| on_off(switch.on));
            table.row([
                asset.id,
                asset.name,
                asset.serial,
                asset.facility.unwrap_or_default(),
                asset.device.map(|device| device.id().to_owned()).unwrap_or_default(),
                switch.unwrap_or_default(),
                asset.status.unwrap_or_default(),
            ]);
        }
        self.terminal.data(table);
        Ok(())
    }

    pub(super) async fn device(&self, command: DeviceCommand) -> Result<(), Failure> {
        match command {
            DeviceCommand::List => self.devices().await,
            DeviceCommand::Add { name, asset, multi } => {
                self.add_device(&name, asset.as_ref(), multi).await
            }
            DeviceCommand::Enrolment { device, out } => self.enrolment(&device, out).await,
            DeviceCommand::Pair { asset, device } => self.pair(&asset, Some(&device)).await,
            DeviceCommand::Unpair { asset, .. } => self.pair(&asset, None).await,
            DeviceCommand::Revoke { device } => self.revoke(&device).await,
        }
    }

    async fn devices(&self) -> Result<(), Failure> {
        let items = self.api()?.list("/devices", &Query::default()).await?;
        let heading = ["DEVICE", "NAME", "ENROLLED", "ONLINE", "ACTIVE", "STATE", "ASSETS"];
        let mut table = Table::new(heading, "no edge devices");
        for item in items {
            self.terminal.value(&item);
            let device: DeviceRow = typed(item)?;
            let cell = |told: Option<bool>| told.map(yes_no).unwrap_or_default();
            table.row([
                device.id,
                device.name,
                cell(device.enrolled),
                cell(device.online),
                cell(device.active),
                device.state.unwrap_or_default(),
                device.assets.join(" "),
            ]);
        }
        self.terminal.data(table);
        Ok(())
    }

    async fn add_device(
        &self,
        name: &str,
        asset: Option<&AssetId>,
        multi: bool,
    ) -> Result<(), Failure> {
        let item: Value = self.api()?.post("/devices", &new_device(name, multi)).await?;
        let device: DeviceRow = typed(item.clone())?;
        self.terminal.value(&item);
        self.terminal.data(OneLine(&device.id));
        if let Some(asset) = asset {
            let device = device.id.parse().map_err(|e| Failure::new(Exit::Other, e))?;
            self.pair(asset, Some(&device)).await?;
        }
        self.terminal
            .note(format_args!("next: `caseway device enrolment {}`", OneLine(&device.id)));
        Ok(())
    }

    pub(super) async fn pair(
        &self,
        asset: &AssetId,
        device: Option<&DeviceId>,
    ) -> Result<(), Failure> {
        let path = format!("/assets/{asset}/device");
        let item: Value = self.api()?.put(&path, &json!({"device": device})).await?;
        self.terminal.value(&item);
        match device {
            Some(device) => self.terminal.note(format_args!("{asset}: paired with {device}")),
            None => self.terminal.note(format_args!("{asset}: no edge device any more")),
        }
        Ok(())
    }

    async fn revoke(&self, device: &DeviceId) -> Result<(), Failure> {
        self.api()?.delete(&format!("/devices/{device}")).await?;
        self.terminal.value(&json!({"device": device, "revoked": true}));
        self.terminal.data(format_args!("{device}: let in no more"));
        Ok(())
    }

    async fn enrolment(&self, device: &DeviceId, out: Option<PathBuf>) -> Result<(), Failure> {
        let path = out.unwrap_or_else(|| PathBuf::from(format!("{device}.enrolment")));
        let login = self.logged_in()?;
        let url = login.gateway.url.clone();
        let api = Api::with_token(&login.gateway, login.token)?;
        let item: Value = api.post(&format!("/devices/{device}/enrolment"), &json!({})).await?;
        let enrolment: Enrolment = typed(item)?;
        put_token(&path, &enrolment.token)?;
        let shown = path.display().to_string();
        self.terminal.value(&json!({
            "device": device, "file": shown, "expires_at": enrolment.expires_at,
        }));
        self.terminal.data(OneLine(&shown));
        self.terminal.note(format_args!(
            "one use, until {}: take it and the gateway's ca.pem to the device and run \
             `caseway-agent enroll --gateway {url} --ca ca.pem --token-file {shown}`",
            self.clock().until(enrolment.expires_at),
        ));
        Ok(())
    }

    pub(super) async fn audit(&self, case: &CaseId) -> Result<(), Failure> {
        let query = Query::default().and("case", case.as_str());
        let items = self.api()?.records("/audit", &query).await?;
        let clock = self.clock();
        let mut table = Table::new(["NO", "TIME", "WHAT", "BY", "DETAILS"], "no records");
        for item in items {
            self.terminal.value(&item);
            table.row(record_cells(&item, &clock));
        }
        self.terminal.data(table);
        Ok(())
    }
}

/// A name that can be an id is one: people type it again to enrol and to pair.
fn new_device(name: &str, multi: bool) -> Value {
    let id = name.parse::<DeviceId>().ok();
    json!({"id": id, "name": name, "multi": multi})
}

/// A token goes into a file that only its owner can read, in place of an older one.
fn put_token(path: &Path, token: &str) -> Result<(), Failure> {
    write_private(path, format!("{token}\n").as_bytes()).map_err(|error| {
        Failure::new(Exit::Other, format!("cannot write {}: {error}", path.display()))
            .hint("give another file with --out, then ask for a new token")
    })
}

fn on_off(on: bool) -> String {
    if on { "on" } else { "off" }.to_owned()
}

fn yes_no(yes: bool) -> String {
    if yes { "yes" } else { "no" }.to_owned()
}

fn session_cells(session: &SessionRow, clock: &Clock) -> [String; 8] {
    let id = |named: Option<&Named>| named.map(|n| n.id().to_owned()).unwrap_or_default();
    let name = |named: Option<&Named>| named.map(|n| n.name().to_owned()).unwrap_or_default();
    let state = match &session.cause {
        Some(cause) => format!("{}: {cause}", session.state),
        None => session.state.clone(),
    };
    [
        session.id.clone(),
        id(session.case.as_ref().or(session.asset.as_ref())),
        name(session.tunnel.as_ref()),
        name(session.person.as_ref()),
        state,
        session.started_at.map(|at| clock.short(at)).unwrap_or_default(),
        bytes(session.up),
        bytes(session.down),
    ]
}

/// A record, whatever it is about: the fields that all have, then the others as they come.
fn record_cells(item: &Value, clock: &Clock) -> [String; 5] {
    const TIME: &[&str] = &["at", "time", "wall"];
    const NUMBER: &[&str] = &["seq", "no", "number", "id"];
    const WHAT: &[&str] = &["what", "event", "kind", "action", "type"];
    const BY: &[&str] = &["actor_name", "by", "person", "actor"];
    const CHAIN: &[&str] = &["hash", "previous", "prev", "digest"];
    let found = |keys: &[&str]| keys.iter().find_map(|key| item.get(key)).map(plain);
    let at = found(TIME).unwrap_or_default();
    let at = at.parse::<Wall>().map_or(at, |wall| clock.short(wall));
    let named = [TIME, NUMBER, WHAT, BY, CHAIN].concat();
    let rest = item.as_object().into_iter().flatten();
    let rest = rest.filter(|(key, value)| !named.contains(&key.as_str()) && !value.is_null());
    let rest: Vec<String> = rest.map(|(key, value)| format!("{key}={}", plain(value))).collect();
    [
        found(NUMBER).unwrap_or_default(),
        at,
        found(WHAT).unwrap_or_default(),
        found(BY).unwrap_or_default(),
        rest.join(" "),
    ]
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            value.to_string()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock() -> Clock {
        Clock::utc("2026-05-01T12:00:00Z".parse().unwrap())
    }

    #[test]
    fn sessions_show_who_is_where_and_how_much_went_by() {
        let heading = ["SESSION", "FROM", "TUNNEL", "PERSON", "STATE", "STARTED", "UP", "DOWN"];
        let mut table = Table::new(heading, "no sessions");
        for item in [
            json!({"id": "s-1", "case": "CASE-7", "asset": "press-7", "tunnel": "plc",
                "person": {"id": "ana", "name": "Ana"}, "state": "active",
                "started_at": "2026-05-01T11:00:00Z", "up": 12, "down": 1_500_000, "cause": null}),
            json!({"id": "s-2", "case": null, "asset": "press-7", "tunnel": "hmi-web",
                "person": "olaf", "state": "ended", "started_at": null, "cause": "switch_off"}),
        ] {
            table.row(session_cells(&typed(item).unwrap(), &clock()));
        }
        insta::assert_snapshot!(table, @r"
        SESSION  FROM     TUNNEL   PERSON  STATE              STARTED  UP    DOWN
        s-1      CASE-7   plc      Ana     active             11:00    12 B  1.4 MiB
        s-2      press-7  hmi-web  olaf    ended: switch_off  -        0 B   0 B
        ");
    }

    #[test]
    fn a_record_shows_its_own_fields_and_not_its_hashes() {
        let item = json!({"seq": 7, "at": "2026-05-01T11:00:00Z", "event": "switch_off",
            "by": "olaf", "case": "CASE-7", "revision": 3, "reason": null, "hash": "abc"});
        assert_eq!(
            record_cells(&item, &clock()),
            ["7", "11:00", "switch_off", "olaf", "case=CASE-7 revision=3"]
        );
    }

    #[test]
    fn an_enrolment_token_lies_where_only_its_owner_reads_it() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("press-7.enrolment");
        std::fs::write(&path, "older").unwrap();
        put_token(&path, "token-text").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "token-text\n");
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
