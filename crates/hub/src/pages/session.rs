//! Logging in and out, accounts, and the record of what was done.

use axum::{
    Extension, Json,
    extract::{Path, Query, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};

use super::{
    Page,
    answer::{Failure, Given},
    guard::{self, Found},
};
use crate::{
    accounts::{Account, COOKIE_KEPT, Credentials, LogEntry, Offer, Opened, Role, Session},
    net::server::{Peer, Secure},
};

/// Most lines of the record at once.
const LINES: u32 = 1000;
/// For how long a browser is known again, in seconds.
const DEVICE_KEPT: i64 = 400 * 24 * 3600;

#[derive(Serialize)]
struct Shown<'a> {
    v: u32,
    state: &'a str,
    account: Option<&'a Account>,
    csrf: Option<&'a str>,
    second: bool,
    version: &'a str,
    off_loopback: bool,
}

fn shown(page: &Page, session: Option<&Session>, state: &str) -> Response {
    Json(Shown {
        v: 1,
        state,
        account: session.map(|session| &session.account),
        csrf: session.map(|session| session.csrf.as_str()),
        second: session.is_some_and(|session| session.second),
        version: env!("CARGO_PKG_VERSION"),
        off_loopback: page.off_loopback,
    })
    .into_response()
}

pub(super) async fn show(
    State(page): State<Page>,
    Extension(Found(session)): Extension<Found>,
) -> Response {
    let state = match &session {
        Some(_) => "open",
        None if page.accounts.none() => "setup",
        None => "login",
    };
    shown(&page, session.as_ref(), state)
}

/// The first account, for who knows the set-up code.
pub(super) async fn set_up(
    State(page): State<Page>,
    Extension(Peer(peer)): Extension<Peer>,
    Extension(secure): Extension<Secure>,
    headers: HeaderMap,
    Given(wanted): Given<Credentials>,
) -> Result<Response, Failure> {
    let opened = page.accounts.set_up(peer.ip(), &wanted).await??;
    Ok(open(&page, &opened, is_secure(secure, &headers)))
}

pub(super) async fn log_in(
    State(page): State<Page>,
    Extension(Peer(peer)): Extension<Peer>,
    Extension(secure): Extension<Secure>,
    headers: HeaderMap,
    Given(given): Given<Credentials>,
) -> Result<Response, Failure> {
    let device = guard::cookie(&headers, guard::DEVICE);
    let opened = page
        .accounts
        .log_in(peer.ip(), device.as_deref(), &given)
        .await??;
    Ok(open(&page, &opened, is_secure(secure, &headers)))
}

/// Whether the browser speaks TLS: with us, with a trusted proxy, or as it says itself of the page that it shows.
fn is_secure(Secure(secure): Secure, headers: &HeaderMap) -> bool {
    let origin = headers.get(header::ORIGIN);
    secure || origin.is_some_and(|origin| origin.as_bytes().starts_with(b"https://"))
}

fn open(page: &Page, opened: &Opened, secure: bool) -> Response {
    let mut response = shown(page, Some(&opened.session), "open");
    let cookies = [
        (guard::COOKIE, &opened.token, COOKIE_KEPT),
        (guard::DEVICE, &opened.device, DEVICE_KEPT),
    ];
    for (name, value, seconds) in cookies {
        set_cookie(&mut response, name, value, seconds, secure);
    }
    response
}

fn set_cookie(response: &mut Response, name: &str, value: &str, seconds: i64, secure: bool) {
    let secure = if secure { "; Secure" } else { "" };
    let text =
        format!("{name}={value}; HttpOnly; SameSite=Strict; Path=/; Max-Age={seconds}{secure}");
    if let Ok(value) = HeaderValue::from_str(&text) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

pub(super) async fn log_out(
    State(page): State<Page>,
    Extension(session): Extension<Session>,
) -> Response {
    page.accounts.log_out(&session);
    let mut response = StatusCode::NO_CONTENT.into_response();
    set_cookie(&mut response, guard::COOKIE, "", 0, false);
    response
}

#[derive(Deserialize)]
pub(super) struct NewPassword {
    password: String,
    new: String,
}

pub(super) async fn change_password(
    State(page): State<Page>,
    Extension(session): Extension<Session>,
    headers: HeaderMap,
    Given(given): Given<NewPassword>,
) -> Result<StatusCode, Failure> {
    let device = guard::cookie(&headers, guard::DEVICE);
    page.accounts
        .change_password(&session, device.as_deref(), &given.password, &given.new)
        .await??;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
pub(super) struct Password {
    password: String,
}

#[derive(Serialize)]
pub(super) struct Offered {
    v: u32,
    #[serde(flatten)]
    offer: Offer,
}

pub(super) async fn offer_second(
    State(page): State<Page>,
    Extension(session): Extension<Session>,
    Given(given): Given<Password>,
) -> Result<Json<Offered>, Failure> {
    let offer = page
        .accounts
        .offer_second(&session, &given.password)
        .await??;
    Ok(Json(Offered { v: 1, offer }))
}

#[derive(Deserialize)]
pub(super) struct Code {
    code: String,
}

#[derive(Serialize)]
pub(super) struct Recovery {
    v: u32,
    recovery: Vec<String>,
}

pub(super) async fn confirm_second(
    State(page): State<Page>,
    Extension(session): Extension<Session>,
    Given(given): Given<Code>,
) -> Result<Json<Recovery>, Failure> {
    let recovery = page
        .accounts
        .confirm_second(&session, &given.code)
        .await??;
    Ok(Json(Recovery { v: 1, recovery }))
}

pub(super) async fn drop_second(
    State(page): State<Page>,
    Extension(session): Extension<Session>,
    Given(given): Given<Password>,
) -> Result<StatusCode, Failure> {
    page.accounts
        .drop_second(&session, &given.password)
        .await??;
    Ok(StatusCode::NO_CONTENT)
}

fn owner(session: &Session) -> Result<(), Failure> {
    match session.account.role {
        Role::Owner => Ok(()),
        Role::Viewer => Err(Failure::Forbidden("only an owner may see this")),
    }
}

#[derive(Serialize)]
pub(super) struct Accounts {
    v: u32,
    accounts: Vec<Account>,
}

pub(super) async fn accounts(
    State(page): State<Page>,
    Extension(session): Extension<Session>,
) -> Result<Json<Accounts>, Failure> {
    owner(&session)?;
    let accounts = page.accounts.all();
    Ok(Json(Accounts { v: 1, accounts }))
}

#[derive(Deserialize)]
pub(super) struct Wanted {
    name: String,
    password: String,
    role: Role,
}

pub(super) async fn add(
    State(page): State<Page>,
    Extension(session): Extension<Session>,
    Given(wanted): Given<Wanted>,
) -> Result<StatusCode, Failure> {
    page.accounts
        .add(&wanted.name, &wanted.password, wanted.role)
        .await??;
    note_account(&page, &session, &wanted.name, "added");
    Ok(StatusCode::CREATED)
}

pub(super) async fn remove(
    State(page): State<Page>,
    Extension(session): Extension<Session>,
    Path(name): Path<String>,
) -> Result<StatusCode, Failure> {
    page.accounts.remove(&name).await??;
    note_account(&page, &session, &name, "removed");
    Ok(StatusCode::NO_CONTENT)
}

fn note_account(page: &Page, session: &Session, name: &str, what: &str) {
    let detail = format!("{name} {what}");
    page.accounts
        .note(&session.account.name, "account", name, &detail);
}

#[derive(Deserialize)]
pub(super) struct Lines {
    limit: Option<u32>,
}

#[derive(Serialize)]
pub(super) struct Log {
    v: u32,
    entries: Vec<LogEntry>,
}

pub(super) async fn log(
    State(page): State<Page>,
    Extension(session): Extension<Session>,
    Query(lines): Query<Lines>,
) -> Result<Json<Log>, Failure> {
    owner(&session)?;
    let entries = page
        .accounts
        .log(lines.limit.unwrap_or(100).min(LINES))
        .await?;
    Ok(Json(Log { v: 1, entries }))
}
