//! The page itself, as `ui/` builds it and the program carries it: text also compressed, as the build made it.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{Html, IntoResponse, Response},
};
use rust_embed::Embed;

use crate::net::server::encoding;

#[derive(Embed)]
#[folder = "../../ui/dist"]
#[allow_missing = true]
struct Built;

/// For a program that was built without the page.
const WITHOUT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Lares</title>\
    <h1>Lares</h1><p>This program was built without its page. Build it with <code>make build</code>, which needs \
    Node.js 18 or newer, or install a package that has it. Alerts and clips arrive all the same.</p></html>";

/// What the first view of somebody who is logged in asks for, as `ui/src/api.ts` asks for it: the browser fetches it beside the program,
/// and over a slow link that is two waits less. Who has no cookie has no session either, as a rule, and would be refused.
const EARLY: &str = "<api/house>; rel=preload; as=fetch; crossorigin, \
    <api/incidents?limit=24>; rel=preload; as=fetch; crossorigin";

/// Content codings, the smallest result first, and what `ui/build.mjs` puts behind the names of files in them. Browsers take Brotli from
/// secure pages and from their own machine only.
const CODINGS: [(&str, &str); 2] = [("br", ".br"), ("gzip", ".gz")];

/// A file of the page; `index.html` for everything that is no file, because the page knows its own places.
pub(super) async fn file(uri: Uri, asked: HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    let is_file = path
        .rsplit('/')
        .next()
        .is_some_and(|name| name.contains('.'));
    let name = if is_file { path } else { "index.html" };
    let Some(found) = Built::get(name) else {
        let built = Built::get("index.html").is_some();
        return if built || is_file {
            StatusCode::NOT_FOUND.into_response()
        } else {
            Html(WITHOUT).into_response()
        };
    };
    // All but the first one have a name that changes with their content.
    let keep = if name == "index.html" {
        "no-cache"
    } else {
        "public, max-age=31536000, immutable"
    };
    let about = [
        (header::CONTENT_TYPE, content_type(name)),
        (header::CACHE_CONTROL, keep),
    ];
    let mut taken = CODINGS
        .iter()
        .filter(|(coding, _)| encoding::taken(&asked, coding));
    let small =
        taken.find_map(|(coding, end)| Some((coding, Built::get(&format!("{name}{end}"))?)));
    let mut response = if let Some((coding, small)) = small {
        let body = Body::from(small.data.into_owned());
        ([(header::CONTENT_ENCODING, *coding)], about, body).into_response()
    } else {
        (about, Body::from(found.data.into_owned())).into_response()
    };
    let more = response.headers_mut();
    if Built::get(&format!("{name}.gz")).is_some() {
        more.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    }
    if path.is_empty() && asked.contains_key(header::COOKIE) {
        more.insert(header::LINK, HeaderValue::from_static(EARLY));
    }
    response
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("woff2") => "font/woff2",
        Some("webmanifest" | "json") => "application/json",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
