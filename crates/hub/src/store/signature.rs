//! Which requests are looked at: those that carry an AWS signature of version 4 over all that matters.
//!
//! In: the head of a request. Out: yes, or a refusal. Version 2 signs neither the body nor, to any use, the date; a request
//! without a signature has no business here. Whether the signature fits is not this file's question.

use axum::{
    extract::Request,
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Response},
};

/// Version 4, as header and query name it.
const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Why a request is not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refusal(&'static str);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>AccessDenied</Code><Message>{}</Message></Error>",
            self.0
        );
        let headers = [(header::CONTENT_TYPE, "application/xml")];
        (StatusCode::FORBIDDEN, headers, body).into_response()
    }
}

/// Whether `request` is signed by version 4, and its body by the signature.
pub(super) fn check(request: &Request) -> Result<(), Refusal> {
    let in_head = text(request.headers(), header::AUTHORIZATION.as_str());
    let in_query = request.uri().query().is_some_and(|query| {
        url::form_urlencoded::parse(query.as_bytes())
            .any(|(name, value)| name.eq_ignore_ascii_case("x-amz-algorithm") && value == ALGORITHM)
    });
    match in_head {
        Some(head) if head.starts_with(ALGORITHM) => {}
        None if in_query => {}
        _ => return Err(Refusal("sign the request with AWS signature version 4")),
    }
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    if changes && in_query {
        return Err(Refusal("an address that was signed in advance only reads"));
    }
    let payload = text(request.headers(), "x-amz-content-sha256");
    if *request.method() == Method::PUT && !payload.is_some_and(is_bound) {
        return Err(Refusal("sign the body too"));
    }
    Ok(())
}

/// Whether such an `x-amz-content-sha256` binds the body: its hash, or signed pieces.
fn is_bound(payload: &str) -> bool {
    let hash = payload.len() == 64 && payload.bytes().all(|byte| byte.is_ascii_hexdigit());
    hash || payload.starts_with("STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn refused(method: &str, query: &str, headers: &[(&str, &str)]) -> bool {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://hub/lares/v1/home/x{query}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        check(&request.body(Body::empty()).unwrap()).is_err()
    }

    #[test]
    fn version_4_over_head_and_body_and_nothing_else() {
        let v4 = (
            "authorization",
            "AWS4-HMAC-SHA256 Credential=home/20261129/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=ab",
        );
        let v2 = ("authorization", "AWS home:c2lnbmF0dXJl");
        let hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let sum = ("x-amz-content-sha256", hash);
        let open = ("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
        let trailer = ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER");
        let pieces = ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD");
        let early = "?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=ab";
        let early_v2 = "?AWSAccessKeyId=home&Expires=9&Signature=ab";
        assert!(!refused("GET", "", &[v4, sum]));
        assert!(!refused("GET", "", &[v4, open]));
        assert!(!refused("PUT", "", &[v4, sum]));
        assert!(!refused("PUT", "", &[v4, pieces]));
        assert!(!refused("DELETE", "", &[v4, open]));
        assert!(!refused("GET", early, &[]));
        for (method, query, headers) in [
            ("GET", "", &[][..]),
            ("GET", "", &[v2]),
            ("PUT", "", &[v2, sum]),
            ("GET", early_v2, &[]),
            ("PUT", "", &[v4]),
            ("PUT", "", &[v4, open]),
            ("PUT", "", &[v4, trailer]),
            ("PUT", early, &[sum]),
            ("DELETE", early, &[]),
            ("GET", early, &[v2]),
        ] {
            assert!(
                refused(method, query, headers),
                "{method} {query} {headers:?}"
            );
        }
    }
}
