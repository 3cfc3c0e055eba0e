//! Answers in text go out compressed to browsers that take it.
//!
//! Only what is whole in memory is compressed: a stream, such as events, is passed on as it is. What is short stays as it is too:
//! it gains nothing, and short answers are those that hold a secret beside what a stranger may choose (BREACH).

use std::io::Write;

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::Next,
    response::Response,
};
use flate2::{Compression, write::GzEncoder};
use http_body_util::BodyExt;

/// Shorter answers stay as they are, in bytes.
const LEAST: u64 = 1400;
/// Longer ones too: compressing them would keep others waiting.
const MOST: u64 = 4_000_000;

/// Whether a client takes answers in a content coding.
#[must_use]
pub fn taken(headers: &HeaderMap, coding: &str) -> bool {
    let mut all = headers.get_all(header::ACCEPT_ENCODING).into_iter();
    all.any(|value| {
        value.to_str().is_ok_and(|list| {
            list.split(',').any(|item| {
                let mut parts = item.split(';');
                let name = parts.next().unwrap_or_default().trim();
                let refused = parts.any(|part| {
                    let weight = part.trim().strip_prefix("q=");
                    weight.is_some_and(|weight| weight.parse() == Ok(0.0))
                });
                (name == coding || name == "*") && !refused
            })
        })
    })
}

fn compress(bytes: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::with_capacity(bytes.len() / 3), Compression::fast());
    // Memory takes everything.
    let _ = out.write_all(bytes);
    out.finish().unwrap_or_default()
}

fn is_text(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default();
    matches!(
        kind,
        "application/json"
            | "application/x-ndjson"
            | "application/openmetrics-text"
            | "text/html"
            | "text/plain"
    )
}

/// Lets an answer go out compressed where it should.
pub async fn layer(request: Request, next: Next) -> Response {
    let wanted = taken(request.headers(), "gzip");
    let mut response = next.run(request).await;
    let size = hyper::body::Body::size_hint(response.body()).exact();
    let fits = size.is_some_and(|size| (LEAST..=MOST).contains(&size));
    let headers = response.headers();
    if response.status() != StatusCode::OK
        || !fits
        || !is_text(headers)
        || headers.contains_key(header::CONTENT_ENCODING)
    {
        return response;
    }
    let varies = HeaderValue::from_static("accept-encoding");
    let headers = response.headers_mut();
    if !headers
        .get_all(header::VARY)
        .iter()
        .any(|said| said == varies)
    {
        headers.append(header::VARY, varies);
    }
    if !wanted {
        return response;
    }
    let (mut head, body) = response.into_parts();
    let Ok(whole) = body.collect().await else {
        let mut broken = Response::new(Body::empty());
        *broken.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        return broken;
    };
    let small = compress(&whole.to_bytes());
    head.headers.remove(header::CONTENT_LENGTH);
    head.headers
        .insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    Response::from_parts(head, Body::from(small))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_takes_what() {
        let of = |text: &str, coding: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, text.parse().unwrap());
            taken(&headers, coding)
        };
        for text in ["gzip", "br, gzip;q=0.8", "*"] {
            assert!(of(text, "gzip"), "{text}");
        }
        for text in ["br", "gzip;q=0", "gzip; q=0.0", ""] {
            assert!(!of(text, "gzip"), "{text}");
        }
        assert!(of("gzip, deflate, br, zstd", "br"));
        assert!(!of("gzip, br;q=0", "br"));
        assert!(!taken(&HeaderMap::new(), "gzip"));
    }

    #[test]
    fn what_is_compressed_comes_back() {
        use std::io::Read;
        let text = "an incident at the door, ".repeat(1000);
        let small = compress(text.as_bytes());
        assert!(small.len() * 10 < text.len());
        let mut back = String::new();
        let mut out = flate2::read::GzDecoder::new(small.as_slice());
        out.read_to_string(&mut back).unwrap();
        assert_eq!(back, text);
    }
}
