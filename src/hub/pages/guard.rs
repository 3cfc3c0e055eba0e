//! Who may ask: the first thing that each request meets.
//!
//! In: a request. Out: the request with its session, or a refusal. `Host` must be a name that is ours (else a page elsewhere
//! could reach us under its own name), changes must come from our own page and carry its token, and everything but the page
//! itself and logging in needs a session.

use std::net::IpAddr;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{Page, answer::Failure};
use crate::{
    base::serve::Peer,
    hub::accounts::{Role, Session},
};

/// The cookie of a session.
pub(super) const COOKIE: &str = "lares_session";
/// The header with the token of the page.
const CSRF: &str = "lares-csrf";
/// What needs no session.
const OPEN: [&str; 3] = ["/api/session", "/api/login", "/api/setup"];

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; \
    media-src 'self' blob:; connect-src 'self'; worker-src 'self' blob:; font-src 'self'; manifest-src 'self'; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Lets a request pass, or not.
pub(super) async fn check(State(page): State<Page>, mut request: Request, next: Next) -> Response {
    let mut response = match admit(&page, &mut request) {
        Ok(()) => next.run(request).await,
        Err(failure) => failure.into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

fn admit(page: &Page, request: &mut Request) -> Result<(), Failure> {
    let headers = request.headers();
    let host = host(headers).ok_or(Failure::Forbidden(
        "the request does not say whom it is for",
    ))?;
    if !is_ours(page, &host) {
        return Err(Failure::Forbidden(
            "this name is not known here: add it to hub.names, or use the address",
        ));
    }
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    if changes && !same_origin(headers, &host) {
        return Err(Failure::Forbidden("the request comes from another page"));
    }
    let path = request.uri().path();
    if !path.starts_with("/api/") && !path.starts_with("/media/") {
        return Ok(());
    }
    let session = session(page, request)?;
    if OPEN.contains(&path) {
        request.extensions_mut().insert(Found(session));
        return Ok(());
    }
    let session = session.ok_or(Failure::Login)?;
    if changes {
        let token = headers.get(CSRF).and_then(|value| value.to_str().ok());
        if token != Some(&session.csrf) {
            return Err(Failure::Forbidden("the page is out of date: load it again"));
        }
        if session.account.role != Role::Owner && path != "/api/logout" {
            return Err(Failure::Forbidden("this account may look, not change"));
        }
    }
    request.extensions_mut().insert(session);
    Ok(())
}

/// The session of a request that needs none, if there is one.
#[derive(Clone)]
pub(super) struct Found(pub(super) Option<Session>);

fn session(page: &Page, request: &Request) -> Result<Option<Session>, Failure> {
    if let Some(token) = cookie(request.headers())
        && let Some(session) = page.accounts.session(&token, page.clock.wall())?
    {
        return Ok(Some(session));
    }
    if is_local(page, request) && page.accounts.none()? {
        return Ok(Some(page.accounts.local()));
    }
    Ok(None)
}

/// Whether a request comes from a browser on this machine, to a hub that nobody else can reach.
fn is_local(page: &Page, request: &Request) -> bool {
    !page.off_loopback && from_here(request.extensions().get(), request.headers())
}

/// Whether a request comes from this machine, and not through a proxy on it.
pub(super) fn from_here(peer: Option<&Peer>, headers: &HeaderMap) -> bool {
    let forwarded = ["forwarded", "x-forwarded-for", "x-real-ip"]
        .iter()
        .any(|name| headers.contains_key(*name));
    let named_local = host(headers).is_some_and(|host| {
        let host = bare(&host);
        host.eq_ignore_ascii_case("localhost")
            || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    });
    !forwarded && named_local && peer.is_some_and(|peer| peer.0.ip().is_loopback())
}

/// The token of a session.
pub(super) fn cookie(headers: &HeaderMap) -> Option<String> {
    let all = headers.get_all(header::COOKIE).into_iter();
    all.filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(';'))
        .find_map(|pair| {
            let (name, value) = pair.trim().split_once('=')?;
            (name == COOKIE).then(|| value.to_owned())
        })
}

fn host(headers: &HeaderMap) -> Option<Authority> {
    headers.get(header::HOST)?.to_str().ok()?.parse().ok()
}

/// The name or address without brackets and port.
fn bare(host: &Authority) -> &str {
    host.host().trim_start_matches('[').trim_end_matches(']')
}

fn is_ours(page: &Page, host: &Authority) -> bool {
    let host = bare(host);
    // An address cannot be somebody else's name for us.
    host.parse::<IpAddr>().is_ok()
        || host.eq_ignore_ascii_case("localhost")
        || page
            .names
            .iter()
            .any(|name| name.eq_ignore_ascii_case(host))
}

fn same_origin(headers: &HeaderMap, host: &Authority) -> bool {
    let site = headers
        .get("sec-fetch-site")
        .and_then(|value| value.to_str().ok());
    if site.is_some_and(|site| site != "same-origin") {
        return false;
    }
    match headers.get(header::ORIGIN) {
        None => true,
        Some(origin) => origin
            .to_str()
            .ok()
            .and_then(|origin| origin.split_once("://"))
            .is_some_and(|(_, authority)| authority == host.as_str()),
    }
}
