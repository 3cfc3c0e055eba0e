//! Who may ask: the first thing that each request meets.
//!
//! In: a request. Out: the request with its session, or a refusal. `Host` must be a name that is ours (else a page elsewhere
//! could reach us under its own name), changes must come from our own page and carry its token, and everything but the page
//! itself and logging in needs a session.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{Page, answer::Failure};
use crate::{
    accounts::{Role, Session},
    net::server::{Standing, names},
};

/// The cookie of a session.
pub(super) const COOKIE: &str = "lares_session";
/// The cookie by which a browser is known again that was logged in before.
pub(super) const DEVICE: &str = "lares_browser";
/// The header with the token of the page.
const CSRF: &str = "lares-csrf";
/// What needs no session.
const OPEN: [&str; 3] = ["/api/session", "/api/login", "/api/setup"];
/// What every account may change: what is its own.
const OWN: [&str; 5] = [
    "/api/logout",
    "/api/password",
    "/api/second",
    "/api/second/confirm",
    "/api/second/off",
];

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; \
    media-src 'self' blob:; connect-src 'self'; worker-src 'self' blob:; font-src 'self'; manifest-src 'self'; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// For what is no document: it loads nothing. Each answer carries one of these, and over a slow link a long one counts.
const NOTHING: &str = "default-src 'none'; frame-ancestors 'none'";

/// Whether a browser shows such an answer as a document of its own, with parts that it loads.
fn is_document(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.starts_with("text/html") || kind.starts_with("video/")
}

/// Lets a request pass, or not.
pub(super) async fn check(State(page): State<Page>, mut request: Request, next: Next) -> Response {
    let mut response = match admit(&page, &mut request) {
        Ok(()) => next.run(request).await,
        Err(failure) => failure.into_response(),
    };
    let headers = response.headers_mut();
    let of_all = [(header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    let of_documents = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ];
    let of_others = [(header::CONTENT_SECURITY_POLICY, NOTHING)];
    let more = if is_document(headers) {
        &of_documents[..]
    } else {
        &of_others
    };
    for (name, value) in of_all.iter().chain(more) {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

fn admit(page: &Page, request: &mut Request) -> Result<(), Failure> {
    let headers = request.headers();
    let host = names::host(headers).ok_or(Failure::Forbidden(
        "the request does not say whom it is for",
    ))?;
    if !page.names.admit(&host) {
        return Err(Failure::Forbidden(
            "this name is not known here: add it to hub.server_names, or use the address",
        ));
    }
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    if changes && !page.names.same_origin(headers, &host) {
        return Err(Failure::Forbidden("the request comes from another page"));
    }
    let path = request.uri().path();
    if !path.starts_with("/api/") && !path.starts_with("/media/") {
        return Ok(());
    }
    let session = session(page, request);
    if session.is_some()
        && let Some(standing) = request.extensions().get::<Standing>()
    {
        standing.known();
    }
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
        if session.account.role != Role::Owner && !OWN.contains(&path) {
            return Err(Failure::Forbidden("this account may look, not change"));
        }
    }
    request.extensions_mut().insert(session);
    Ok(())
}

/// The session of a request that needs none, if there is one.
#[derive(Clone)]
pub(super) struct Found(pub(super) Option<Session>);

fn session(page: &Page, request: &Request) -> Option<Session> {
    cookie(request.headers(), COOKIE)
        .and_then(|token| page.accounts.session(&token))
        .or_else(|| page.accounts.everybody())
}

/// What the browser keeps under `wanted`.
pub(super) fn cookie(headers: &HeaderMap, wanted: &str) -> Option<String> {
    let all = headers.get_all(header::COOKIE).into_iter();
    all.filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(';'))
        .find_map(|pair| {
            let (name, value) = pair.trim().split_once('=')?;
            (name == wanted).then(|| value.to_owned())
        })
}
