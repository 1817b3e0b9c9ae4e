//! Tunnel configs: what a case offers, why or why not, and their upkeep on an asset.

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};

use super::{
    caller::Caller,
    configs::{ConfigBody, ConfigView},
    desk::Desk,
    input::{Body, IfMatch, Path},
    lists::Items,
    problem::Problem,
};
use crate::{
    authz::{Action, Check, Decision, Door, Reason, Request, Via, Want, decide, explain},
    clock::Now,
    ids::{AssetId, CaseId, Name, PersonId, Revision, TemplateId, TunnelId},
    machines::{Fields, Follow, TunnelConfig},
    store::{Subject, TunnelEntry, TunnelKey},
};

#[derive(Debug, Serialize)]
pub(super) struct TunnelView {
    id: TunnelId,
    #[serde(flatten)]
    config: ConfigView,
    /// The template it inherits from.
    template: Option<TemplateId>,
    /// The fields that it does not inherit.
    overridden: Fields,
    /// Whether the operator wrote, or confirmed, where it leads.
    confirmed: bool,
    revision: Revision,
}

impl From<TunnelEntry> for TunnelView {
    fn from(entry: TunnelEntry) -> Self {
        let TunnelEntry { tunnel, follows, confirmed, revision } = entry;
        let config = ConfigView::from(&TunnelConfig::from(&tunnel));
        let (template, overridden) = match follows {
            Some(Follow { template, overridden }) => (Some(template), overridden),
            None => (None, Fields::default()),
        };
        Self { id: tunnel.id, config, template, overridden, confirmed, revision }
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
    for entry in desk.store.tunnel_entries(&asset).await? {
        let key = TunnelKey::Id(entry.tunnel.id.clone());
        let facts = desk.store.facts(&subject.clone().tunnel(key)).await?;
        let request = open_request(who.clone(), &case, entry.tunnel.id.clone(), now);
        let verdict = decide(request, &facts).into();
        items.push(OfferedView { tunnel: entry.into(), verdict });
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
    Ok(Items::all(desk.store.tunnel_entries(&asset).await?))
}

pub(super) async fn create(
    State(desk): State<Desk>,
    caller: Caller,
    Path(asset): Path<AssetId>,
    Body(body): Body<ConfigBody>,
) -> Result<(StatusCode, Json<TunnelView>), Problem> {
    let new = body.checked()?;
    let written = desk.store.create_tunnel(&caller.by, &asset, &new, Now::read()).await?;
    Ok((StatusCode::CREATED, Json(written.value.into())))
}

pub(super) async fn update(
    State(desk): State<Desk>,
    caller: Caller,
    Path((asset, tunnel)): Path<(AssetId, TunnelId)>,
    IfMatch(expected): IfMatch,
    Body(body): Body<ConfigBody>,
) -> Result<Json<TunnelView>, Problem> {
    let new = body.checked()?;
    let now = Now::read();
    let written =
        desk.store.update_tunnel(&caller.by, (&asset, &tunnel), expected, &new, now).await?;
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

/// `POST /assets/{asset}/tunnels/{tunnel}/confirm`: the operator agrees to where it leads.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Seen {
    /// What is confirmed is what was seen: written since, it is refused.
    revision: Revision,
}

pub(super) async fn confirm(
    State(desk): State<Desk>,
    caller: Caller,
    Path((asset, tunnel)): Path<(AssetId, TunnelId)>,
    Body(Seen { revision }): Body<Seen>,
) -> Result<Json<TunnelView>, Problem> {
    let now = Now::read();
    let written = desk.store.confirm_tunnel(&caller.by, &asset, &tunnel, revision, now).await?;
    Ok(Json(written.value.into()))
}
