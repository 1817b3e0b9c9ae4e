//! Tunnel configs: what a case offers, why or why not, and their upkeep on an asset.

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};

use super::{
    caller::Caller,
    desk::Desk,
    input::{Body, Path},
    lists::Items,
    problem::Problem,
    targets::{self, TargetBody},
};
use crate::{
    authz::{Action, Check, Decision, Door, Reason, Request, Via, Want, decide, explain},
    clock::Now,
    ids::{AssetId, CaseId, Name, PersonId, TunnelId},
    machines::{Mode, Tunnel, TunnelKind},
    store::{NewTunnel, Subject, TunnelKey},
};

#[derive(Debug, Serialize)]
pub(super) struct TunnelView {
    id: TunnelId,
    name: Name,
    kind: TunnelKind,
    mode: Mode,
    enabled: bool,
    targets: Vec<TargetBody>,
}

impl From<Tunnel> for TunnelView {
    fn from(tunnel: Tunnel) -> Self {
        let Tunnel { id, asset: _, name, kind, mode, targets, enabled } = tunnel;
        let targets = targets.into_iter().map(TargetBody::from).collect();
        Self { id, name, kind, mode, enabled, targets }
    }
}

/// A tunnel, and what the caller would be told on opening it now.
#[derive(Debug, Serialize)]
pub(super) struct OfferedView {
    #[serde(flatten)]
    tunnel: TunnelView,
    #[serde(flatten)]
    verdict: Verdict,
}

#[derive(Debug, Serialize)]
struct Verdict {
    decision: &'static str,
    reason: Option<Reason>,
}

impl From<Decision> for Verdict {
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::Allow(_) => Self { decision: "allow", reason: None },
            Decision::Deny(denial) => Self { decision: "deny", reason: Some(denial.told()) },
        }
    }
}

/// `GET /cases/{case}/tunnels`
pub(super) async fn of_case(
    State(desk): State<Desk>,
    caller: Caller,
    Path(case): Path<CaseId>,
) -> Result<Json<Items<OfferedView>>, Problem> {
    let (who, now) = (caller.person.id, Now::read());
    let found = desk.store.case(&who, &case, now).await?.ok_or_else(Problem::not_found)?;
    let Some(asset) = found.asset().cloned() else {
        // A provider-internal case leads to no tunnel, ever.
        return Ok(Json(Items { items: Vec::new(), next: None }));
    };
    let subject = Subject::case(who.clone(), case.clone());
    let _grant = desk.allowed(&subject, Action::ReadTunnels(asset.clone()), now).await?;
    let mut items = Vec::new();
    for tunnel in desk.store.tunnels(&asset).await? {
        let key = TunnelKey::Id(tunnel.id.clone());
        let facts = desk.store.facts(&subject.clone().tunnel(key)).await?;
        let request = open_request(who.clone(), &case, tunnel.id.clone(), now);
        let verdict = decide(request, &facts).into();
        items.push(OfferedView { tunnel: tunnel.into(), verdict });
    }
    Ok(Json(Items { items, next: None }))
}

/// What opening this tunnel with the tunnel client would ask.
fn open_request(who: PersonId, case: &CaseId, tunnel: TunnelId, now: Now) -> Request {
    let via = Via::Case(case.clone());
    let action = Action::UseTunnel { tunnel, via, door: Door::Native, want: Want::Control };
    Request { who, action, at: now.wall }
}

/// `POST /cases/{case}/explain`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    tunnel: Name,
}

#[derive(Debug, Serialize)]
pub(super) struct Explanation {
    #[serde(flatten)]
    verdict: Verdict,
    checks: Vec<CheckView>,
}

#[derive(Debug, Serialize)]
struct CheckView {
    reason: Reason,
    passed: bool,
    what: String,
    remedy: Option<String>,
}

impl From<Check> for CheckView {
    fn from(check: Check) -> Self {
        let Check { reason, passed, what, remedy } = check;
        Self { reason, passed, what, remedy }
    }
}

pub(super) async fn why(
    State(desk): State<Desk>,
    caller: Caller,
    Path(case): Path<CaseId>,
    Body(Which { tunnel }): Body<Which>,
) -> Result<Json<Explanation>, Problem> {
    let (who, now) = (caller.person.id, Now::read());
    if desk.store.case(&who, &case, now).await?.is_none() {
        return Err(Problem::not_found());
    }
    let subject = Subject::case(who.clone(), case.clone()).tunnel(TunnelKey::Name(tunnel.clone()));
    let facts = desk.store.facts(&subject).await?;
    // Without such a tunnel the checks still say what else stands in the way, and that it is not
    // there: no tunnel has this id.
    let id = match &facts.tunnel {
        Some(tunnel) => tunnel.id.clone(),
        None => tunnel.as_str().parse().map_err(|_| Problem::not_found())?,
    };
    let request = open_request(who, &case, id, now);
    let checks = explain(&request, &facts).into_iter().map(CheckView::from).collect();
    Ok(Json(Explanation { verdict: decide(request, &facts).into(), checks }))
}

/// `GET /assets/{asset}/tunnels`
pub(super) async fn of_asset(
    State(desk): State<Desk>,
    caller: Caller,
    Path(asset): Path<AssetId>,
) -> Result<Json<Items<TunnelView>>, Problem> {
    let subject = Subject::asset(caller.person.id, asset.clone());
    let _grant = desk.allowed(&subject, Action::ReadTunnels(asset.clone()), Now::read()).await?;
    Ok(Items::all(desk.store.tunnels(&asset).await?))
}

/// `POST /assets/{asset}/tunnels`, `PUT /assets/{asset}/tunnels/{tunnel}`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ask {
    name: Name,
    kind: TunnelKind,
    #[serde(default = "any")]
    mode: Mode,
    targets: Vec<TargetBody>,
    #[serde(default = "enabled")]
    enabled: bool,
}

fn any() -> Mode {
    Mode::Any
}

fn enabled() -> bool {
    true
}

impl Ask {
    fn checked(self) -> Result<NewTunnel, Problem> {
        let Self { name, kind, mode, targets, enabled } = self;
        let targets = targets::checked(kind, targets)?;
        Ok(NewTunnel { name, kind, mode, targets, enabled })
    }
}

pub(super) async fn create(
    State(desk): State<Desk>,
    caller: Caller,
    Path(asset): Path<AssetId>,
    Body(ask): Body<Ask>,
) -> Result<(StatusCode, Json<TunnelView>), Problem> {
    let new = ask.checked()?;
    let written = desk.store.create_tunnel(&caller.by, &asset, &new, Now::read()).await?;
    Ok((StatusCode::CREATED, Json(written.value.into())))
}

pub(super) async fn update(
    State(desk): State<Desk>,
    caller: Caller,
    Path((asset, tunnel)): Path<(AssetId, TunnelId)>,
    Body(ask): Body<Ask>,
) -> Result<Json<TunnelView>, Problem> {
    let new = ask.checked()?;
    let now = Now::read();
    let written = desk.store.update_tunnel(&caller.by, &asset, &tunnel, &new, now).await?;
    desk.settled(written.revision).await;
    Ok(Json(written.value.into()))
}

/// `DELETE /assets/{asset}/tunnels/{tunnel}`
pub(super) async fn delete(
    State(desk): State<Desk>,
    caller: Caller,
    Path((asset, tunnel)): Path<(AssetId, TunnelId)>,
) -> Result<StatusCode, Problem> {
    let written = desk.store.delete_tunnel(&caller.by, &asset, &tunnel, Now::read()).await?;
    desk.settled(written.revision).await;
    Ok(StatusCode::NO_CONTENT)
}
