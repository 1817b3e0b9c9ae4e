//! Every route there is, in one table; the tests walk it.

use std::time::Duration;

use axum::{
    Router,
    extract::Request,
    handler::Handler,
    http::{HeaderValue, Method, header},
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::{MethodFilter, MethodRouter, on},
};
use tokio::time::timeout;

use super::{
    around, assets, case_history, case_put, cases, company, customers, decommission, desk::Desk,
    devices, facilities, groups, health, history, imports, invitations, login, me, messages,
    models, notifications, organisations, people, problem::Problem, records, requests, sessions,
    tokens, tunnels, webhooks, workspaces,
};

/// The longest that an answer takes; past it the caller is told so, and may look what became of it.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// Who is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OpenTo {
    Anyone,
    /// Whoever is logged in; what they may do there is decided behind the route.
    People,
}

/// One method on one path.
#[derive(Clone, Debug)]
#[cfg_attr(not(test), expect(dead_code, reason = "the tests hold each route against its fields"))]
pub(super) struct Route {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) open_to: OpenTo,
    handler: MethodRouter<Desk>,
}

fn route<H, T>(open_to: OpenTo, method: Method, path: &'static str, handler: H) -> Route
where
    H: Handler<T, Desk>,
    T: 'static,
{
    // Every method of the table below has a filter; another would answer 405.
    let filter = MethodFilter::try_from(method.clone()).unwrap_or(MethodFilter::TRACE);
    Route { method, path, open_to, handler: on(filter, handler) }
}

/// The table.
pub(super) fn table() -> Vec<Route> {
    [door(), company(), cases(), machines(), around_cases(), outbound()]
        .into_iter()
        .flatten()
        .collect()
}

/// The part of the table about coming in, and about oneself.
#[rustfmt::skip]
fn door() -> Vec<Route> {
    use Method as M;
    use OpenTo::{Anyone, People};
    vec![
        route(Anyone, M::GET,    "/",                                           health::home),
        route(Anyone, M::GET,    "/healthz",                                    health::healthz),
        route(Anyone, M::GET,    "/readyz",                                     health::readyz),
        route(Anyone, M::POST,   "/api/v1/login",                               login::login),
        route(People, M::POST,   "/api/v1/logout",                              login::logout),
        route(People, M::GET,    "/api/v1/me",                                  me::me),
        route(People, M::POST,   "/api/v1/me/certificate",                      login::certificate),
        route(People, M::GET,    "/api/v1/me/tokens",                           tokens::mine),
        route(People, M::POST,   "/api/v1/me/tokens",                           tokens::create_mine),
        route(People, M::DELETE, "/api/v1/me/tokens/{token}",                   tokens::delete_mine),
    ]
}

/// The part of the table about companies, their people, and what lies between companies.
#[rustfmt::skip]
fn company() -> Vec<Route> {
    use Method as M;
    use OpenTo::{Anyone, People};
    vec![
        route(People, M::GET,    "/api/v1/tenant",                              company::show),
        route(People, M::PATCH,  "/api/v1/tenant",                              company::rename),
        route(People, M::GET,    "/api/v1/tenant/settings",                     company::settings),
        route(People, M::PUT,    "/api/v1/tenant/settings",                     company::set_settings),
        route(People, M::GET,    "/api/v1/roles",                               company::roles),
        route(People, M::POST,   "/api/v1/roles",                               company::create_role),
        route(People, M::PUT,    "/api/v1/roles/{role}",                        company::change_role),
        route(People, M::DELETE, "/api/v1/roles/{role}",                        company::delete_role),
        route(People, M::GET,    "/api/v1/invitations",                         invitations::list),
        route(People, M::POST,   "/api/v1/invitations",                         invitations::invite),
        route(People, M::DELETE, "/api/v1/invitations/{invitation}",            invitations::withdraw),
        route(Anyone, M::POST,   "/api/v1/invitations/accept",                  invitations::accept),
        route(People, M::GET,    "/api/v1/service-organisations",               customers::organisations),
        route(People, M::POST,   "/api/v1/service-organisations",               customers::create_organisation),
        route(People, M::GET,    "/api/v1/customers",                           customers::list),
        route(People, M::POST,   "/api/v1/customers",                           customers::create),
        route(People, M::PATCH,  "/api/v1/customers/{customer}",                customers::change),
        route(People, M::POST,   "/api/v1/customers/{customer}/invitation",     customers::invite),
        route(People, M::GET,    "/api/v1/machines",                            customers::machines),
        route(People, M::POST,   "/api/v1/machines",                            customers::create_machine),
        route(People, M::GET,    "/api/v1/links",                               customers::links),
        route(People, M::POST,   "/api/v1/links",                               customers::propose),
        route(People, M::PUT,    "/api/v1/links/{machine}",                     customers::answer),
        route(People, M::DELETE, "/api/v1/links/{machine}",                     customers::unlink),
        route(People, M::GET,    "/api/v1/users",                               people::list),
        route(People, M::POST,   "/api/v1/users",                               people::create),
        route(People, M::DELETE, "/api/v1/users/{user}",                        people::delete),
        route(People, M::PUT,    "/api/v1/users/{user}/active",                 people::set_active),
        route(People, M::GET,    "/api/v1/users/{user}/tokens",                 tokens::of_colleague),
        route(People, M::POST,   "/api/v1/users/{user}/tokens",                 tokens::create_for_colleague),
        route(People, M::DELETE, "/api/v1/users/{user}/tokens/{token}",         tokens::delete_of_colleague),
        route(People, M::GET,    "/api/v1/users/{user}/assignments",            people::assignments),
        route(People, M::POST,   "/api/v1/users/{user}/assignments",            people::assign),
        route(People, M::DELETE, "/api/v1/users/{user}/assignments/{assignment}", people::unassign),
    ]
}

/// The part of the table about cases, their sessions and records.
#[rustfmt::skip]
fn cases() -> Vec<Route> {
    use Method as M;
    use OpenTo::People;
    vec![
        route(People, M::GET,    "/api/v1/cases",                               cases::list),
        route(People, M::POST,   "/api/v1/cases",                               cases::create),
        route(People, M::PUT,    "/api/v1/cases/by-external-id/{external_id}",  case_put::put),
        route(People, M::GET,    "/api/v1/cases/{case}",                        cases::show),
        route(People, M::PATCH,  "/api/v1/cases/{case}",                        cases::change),
        route(People, M::PUT,    "/api/v1/cases/{case}/remote-access",          cases::switch),
        route(People, M::GET,    "/api/v1/cases/{case}/messages",               messages::list),
        route(People, M::POST,   "/api/v1/cases/{case}/messages",               messages::post),
        route(People, M::GET,    "/api/v1/cases/{case}/history",                case_history::list),
        route(People, M::GET,    "/api/v1/cases/{case}/access-requests",        requests::of_case),
        route(People, M::POST,   "/api/v1/cases/{case}/access-requests",        requests::ask),
        route(People, M::DELETE, "/api/v1/cases/{case}/access-requests/{request}", requests::withdraw),
        route(People, M::PUT,    "/api/v1/cases/{case}/access-requests/{request}/answer", requests::answer),
        route(People, M::GET,    "/api/v1/access-requests",                     requests::list),
        route(People, M::GET,    "/api/v1/cases/{case}/tunnels",                tunnels::of_case),
        route(People, M::POST,   "/api/v1/cases/{case}/explain",                tunnels::why),
        route(People, M::GET,    "/api/v1/sessions",                            sessions::list),
        route(People, M::DELETE, "/api/v1/sessions/{session}",                  sessions::end),
        route(People, M::GET,    "/api/v1/audit",                               records::list),
    ]
}

/// The part of the table about machines and what leads to them.
#[rustfmt::skip]
fn machines() -> Vec<Route> {
    use Method as M;
    use OpenTo::People;
    vec![
        route(People, M::GET,    "/api/v1/assets",                              assets::list),
        route(People, M::POST,   "/api/v1/assets",                              assets::create),
        route(People, M::GET,    "/api/v1/assets/{asset}",                      assets::show),
        route(People, M::PATCH,  "/api/v1/assets/{asset}",                      assets::change),
        route(People, M::PUT,    "/api/v1/assets/{asset}/active",               assets::set_active),
        route(People, M::GET,    "/api/v1/assets/{asset}/changes",              history::of_asset),
        route(People, M::POST,   "/api/v1/assets/{asset}/decommission",         decommission::decommission),
        route(People, M::PUT,    "/api/v1/assets/{asset}/remote-access",        assets::switch),
        route(People, M::PUT,    "/api/v1/assets/{asset}/device",               assets::pair),
        route(People, M::GET,    "/api/v1/assets/{asset}/tunnels",              tunnels::of_asset),
        route(People, M::POST,   "/api/v1/assets/{asset}/tunnels",              tunnels::create),
        route(People, M::PUT,    "/api/v1/assets/{asset}/tunnels/{tunnel}",     tunnels::update),
        route(People, M::DELETE, "/api/v1/assets/{asset}/tunnels/{tunnel}",     tunnels::delete),
        route(People, M::POST,   "/api/v1/assets/{asset}/tunnels/{tunnel}/confirm", tunnels::confirm),
        route(People, M::GET,    "/api/v1/facilities",                          facilities::list),
        route(People, M::POST,   "/api/v1/facilities",                          facilities::create),
        route(People, M::PATCH,  "/api/v1/facilities/{facility}",               facilities::rename),
        route(People, M::DELETE, "/api/v1/facilities/{facility}",               facilities::delete),
        route(People, M::GET,    "/api/v1/machine-models",                      models::list),
        route(People, M::POST,   "/api/v1/machine-models",                      models::create),
        route(People, M::PUT,    "/api/v1/machine-models/{model}",              models::change),
        route(People, M::DELETE, "/api/v1/machine-models/{model}",              models::delete),
        route(People, M::GET,    "/api/v1/machine-models/{model}/tunnel-templates", models::templates),
        route(People, M::POST,   "/api/v1/machine-models/{model}/tunnel-templates", models::add_template),
        route(People, M::PUT,    "/api/v1/machine-models/{model}/tunnel-templates/{template}", models::change_template),
        route(People, M::DELETE, "/api/v1/machine-models/{model}/tunnel-templates/{template}", models::delete_template),
        route(People, M::PUT,    "/api/v1/machines/{machine}/model",            models::of_machine),
        route(People, M::GET,    "/api/v1/devices",                             devices::list),
        route(People, M::POST,   "/api/v1/devices",                             devices::create),
        route(People, M::POST,   "/api/v1/devices/{device}/enrolment",          devices::enrolment),
        route(People, M::DELETE, "/api/v1/devices/{device}",                    devices::revoke),
    ]
}

/// The part of the table about groups, workspaces, organisations, and who is around a case.
#[rustfmt::skip]
fn around_cases() -> Vec<Route> {
    use Method as M;
    use OpenTo::People;
    vec![
        route(People, M::GET,    "/api/v1/cases/{case}/group",                  around::group),
        route(People, M::PUT,    "/api/v1/cases/{case}/group",                  around::place),
        route(People, M::GET,    "/api/v1/cases/{case}/efforts",                around::efforts),
        route(People, M::PUT,    "/api/v1/cases/{case}/efforts/{session}",      around::answer),
        route(People, M::GET,    "/api/v1/cases/{case}/participants",           around::participants),
        route(People, M::PUT,    "/api/v1/cases/{case}/participants/{user}",    around::take_part),
        route(People, M::DELETE, "/api/v1/cases/{case}/participants/{user}",    around::part),
        route(People, M::GET,    "/api/v1/cases/{case}/copies",                 around::copies),
        route(People, M::PUT,    "/api/v1/cases/{case}/copies/{user}",          around::copy),
        route(People, M::DELETE, "/api/v1/cases/{case}/copies/{user}",          around::uncopy),
        route(People, M::PUT,    "/api/v1/cases/{case}/organisation",           around::raise_for),
        route(People, M::GET,    "/api/v1/groups",                              groups::list),
        route(People, M::POST,   "/api/v1/groups",                              groups::create),
        route(People, M::GET,    "/api/v1/groups/{group}",                      groups::show),
        route(People, M::PATCH,  "/api/v1/groups/{group}",                      groups::change),
        route(People, M::DELETE, "/api/v1/groups/{group}",                      groups::remove),
        route(People, M::PUT,    "/api/v1/groups/{group}/members/{user}",       groups::join),
        route(People, M::DELETE, "/api/v1/groups/{group}/members/{user}",       groups::leave),
        route(People, M::GET,    "/api/v1/group-duties",                        groups::duties),
        route(People, M::PUT,    "/api/v1/group-duties/{user}",                 groups::give_duties),
        route(People, M::GET,    "/api/v1/workspaces",                          workspaces::list),
        route(People, M::POST,   "/api/v1/workspaces",                          workspaces::create),
        route(People, M::GET,    "/api/v1/workspaces/{workspace}",              workspaces::show),
        route(People, M::PUT,    "/api/v1/workspaces/{workspace}/members/{user}", workspaces::join),
        route(People, M::DELETE, "/api/v1/workspaces/{workspace}/members/{user}", workspaces::leave),
        route(People, M::GET,    "/api/v1/workspaces/{workspace}/cases",        workspaces::cases),
        route(People, M::GET,    "/api/v1/workspaces/{workspace}/cases/{case}", workspaces::case),
        route(People, M::PUT,    "/api/v1/workspaces/{workspace}/cases/{case}", workspaces::bring),
        route(People, M::DELETE, "/api/v1/workspaces/{workspace}/cases/{case}", workspaces::take),
        route(People, M::POST,   "/api/v1/workspaces/{workspace}/case-roles",   workspaces::add_role),
        route(People, M::PUT,    "/api/v1/workspaces/{workspace}/case-roles/{role}", workspaces::change_role),
        route(People, M::GET,    "/api/v1/organisations",                       organisations::list),
        route(People, M::POST,   "/api/v1/organisations",                       organisations::create),
        route(People, M::GET,    "/api/v1/organisations/{organisation}",        organisations::show),
        route(People, M::PATCH,  "/api/v1/organisations/{organisation}",        organisations::change),
        route(People, M::PUT,    "/api/v1/organisations/{organisation}/members/{user}", organisations::set_sees),
    ]
}

/// The part of the table about tables that come in, and messages that go out.
#[rustfmt::skip]
fn outbound() -> Vec<Route> {
    use Method as M;
    use OpenTo::People;
    vec![
        route(People, M::GET,    "/api/v1/me/notifications",                    notifications::list),
        route(People, M::PUT,    "/api/v1/me/notifications",                    notifications::choose),
        route(People, M::POST,   "/api/v1/imports/users",                       imports::users),
        route(People, M::POST,   "/api/v1/imports/assets",                      imports::assets),
        route(People, M::GET,    "/api/v1/webhooks",                            webhooks::list),
        route(People, M::POST,   "/api/v1/webhooks",                            webhooks::create),
        route(People, M::PATCH,  "/api/v1/webhooks/{hook}",                     webhooks::change),
        route(People, M::DELETE, "/api/v1/webhooks/{hook}",                     webhooks::delete),
        route(People, M::POST,   "/api/v1/webhooks/{hook}/secret",              webhooks::rotate),
        route(People, M::POST,   "/api/v1/webhooks/{hook}/test",                webhooks::test),
        route(People, M::GET,    "/api/v1/webhooks/{hook}/deliveries",          webhooks::deliveries),
    ]
}

/// All routes, with what goes for each.
pub(super) fn router(desk: Desk) -> Router {
    table()
        .into_iter()
        .fold(Router::new(), |router, route| router.route(route.path, route.handler))
        .fallback(async || Problem::not_found())
        .method_not_allowed_fallback(async || Problem::method())
        .layer(from_fn(around))
        .with_state(desk)
}

/// Around every answer: its deadline, and headers that keep it out of caches.
async fn around(request: Request, next: Next) -> Response {
    let answer = timeout(ANSWER_MAX, next.run(request)).await;
    let mut response = answer.unwrap_or_else(|_| {
        let detail = "no answer in time; look whether it was done before trying again";
        Problem::unavailable(detail).into_response()
    });
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
