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
    base::serve::Peer,
    hub::accounts::{Account, LogEntry, Role, Session},
};

/// Most lines of the record at once.
const LINES: u32 = 1000;

#[derive(Serialize)]
struct Shown<'a> {
    v: u32,
    state: &'a str,
    account: Option<&'a Account>,
    csrf: Option<&'a str>,
    version: &'a str,
    off_loopback: bool,
}

fn shown(page: &Page, session: Option<&Session>, state: &str) -> Response {
    Json(Shown {
        v: 1,
        state,
        account: session.map(|session| &session.account),
        csrf: session.map(|session| session.csrf.as_str()),
        version: env!("CARGO_PKG_VERSION"),
        off_loopback: page.off_loopback,
    })
    .into_response()
}

pub(super) async fn show(
    State(page): State<Page>,
    Extension(Found(session)): Extension<Found>,
) -> Result<Response, Failure> {
    let state = match &session {
        Some(_) => "open",
        None if page.accounts.none()? => "setup",
        None => "login",
    };
    Ok(shown(&page, session.as_ref(), state))
}

#[derive(Deserialize)]
pub(super) struct Credentials {
    name: String,
    password: String,
}

/// The first account; from this machine only.
pub(super) async fn set_up(
    State(page): State<Page>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    Given(wanted): Given<Credentials>,
) -> Result<Response, Failure> {
    if !guard::from_here(Some(&peer), &headers) {
        return Err(Failure::Forbidden(
            "the first account is made on the machine itself: open the page there, or run lares hub account add NAME",
        ));
    }
    if !page.accounts.none()? {
        return Err(Failure::Conflict("there is an account already".to_owned()));
    }
    page.accounts
        .add(&wanted.name, &wanted.password, Role::Owner)??;
    page.accounts
        .note(page.clock.wall(), &wanted.name, "setup", "")?;
    open(&page, &peer, &wanted)
}

pub(super) async fn log_in(
    State(page): State<Page>,
    Extension(peer): Extension<Peer>,
    Given(given): Given<Credentials>,
) -> Result<Response, Failure> {
    open(&page, &peer, &given)
}

fn open(page: &Page, peer: &Peer, given: &Credentials) -> Result<Response, Failure> {
    let now = page.clock.wall();
    let from = peer.0.ip();
    let opened = page
        .accounts
        .log_in(from, &given.name, &given.password, now)?;
    let (token, session) = match opened {
        Ok(opened) => opened,
        Err(refusal) => {
            let name: String = given.name.chars().take(64).collect();
            page.accounts
                .note(now, &name, "login-failed", &from.to_string())?;
            tracing::warn!(%from, "a login to the page failed");
            return Err(refusal.into());
        }
    };
    page.accounts
        .note(now, &given.name, "login", &from.to_string())?;
    let mut response = shown(page, Some(&session), "open");
    set_cookie(&mut response, &token, 30 * 24 * 3600);
    Ok(response)
}

fn set_cookie(response: &mut Response, token: &str, seconds: u32) {
    let name = guard::COOKIE;
    let text = format!("{name}={token}; HttpOnly; SameSite=Strict; Path=/; Max-Age={seconds}");
    if let Ok(value) = HeaderValue::from_str(&text) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

pub(super) async fn log_out(
    State(page): State<Page>,
    Extension(session): Extension<Session>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    if let Some(token) = guard::cookie(&headers) {
        page.accounts.log_out(&token)?;
        page.accounts
            .note(page.clock.wall(), &session.account.name, "logout", "")?;
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    set_cookie(&mut response, "", 0);
    Ok(response)
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
    let accounts = page.accounts.all()?;
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
    if page.accounts.none()? && wanted.role != Role::Owner {
        let reason = "the first account must be an owner: nobody could change anything";
        return Err(Failure::Conflict(reason.to_owned()));
    }
    page.accounts
        .add(&wanted.name, &wanted.password, wanted.role)??;
    note_account(&page, &session, &format!("{} added", wanted.name))?;
    Ok(StatusCode::CREATED)
}

pub(super) async fn remove(
    State(page): State<Page>,
    Extension(session): Extension<Session>,
    Path(name): Path<String>,
) -> Result<StatusCode, Failure> {
    page.accounts.remove(&name)??;
    note_account(&page, &session, &format!("{name} removed"))?;
    Ok(StatusCode::NO_CONTENT)
}

fn note_account(page: &Page, session: &Session, what: &str) -> Result<(), Failure> {
    let (now, account) = (page.clock.wall(), &session.account.name);
    Ok(page.accounts.note(now, account, "account", what)?)
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
    let entries = page.accounts.log(lines.limit.unwrap_or(100).min(LINES))?;
    Ok(Json(Log { v: 1, entries }))
}
