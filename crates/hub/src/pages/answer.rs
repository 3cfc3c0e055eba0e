//! What goes wrong, as the page is told of it: a status, a code for programs and a sentence.

use std::time::Duration;

use axum::{
    Json,
    extract::{FromRequest, Request},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::de::DeserializeOwned;

use crate::{HubError, accounts::Refusal};

/// Why a request was not carried out.
#[derive(Debug)]
pub(super) enum Failure {
    /// Nobody is logged in.
    Login,
    /// Name and password do not fit.
    Wrong,
    /// They do, but a code of the second factor is asked for, or does not fit.
    Second(&'static str),
    /// Not for this account, or not from there.
    Forbidden(&'static str),
    /// There is no such thing.
    NotFound(String),
    /// It is not possible now.
    Conflict(String),
    /// It was not understood.
    BadRequest(String),
    /// The body is longer than any of the page's.
    TooLarge,
    /// Too many attempts.
    SlowDown(Duration),
    /// The hub itself is in trouble, which its log tells.
    Trouble,
}

impl From<HubError> for Failure {
    fn from(error: HubError) -> Self {
        tracing::error!(%error, "the hub could not answer its page");
        Self::Trouble
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Wrong => Self::Wrong,
            Refusal::Second { wrong: false } => {
                Self::Second("give the code of your authenticator, or a recovery code")
            }
            Refusal::Second { wrong: true } => {
                Self::Second("the code does not fit, or was used before")
            }
            Refusal::ClockUnsure => Self::Second(
                "the box does not know the time, so that it cannot judge the code of an authenticator: use a recovery code",
            ),
            Refusal::SetUpCode => Self::Forbidden(
                "this is not the set-up code: the log of the program prints it at each start",
            ),
            Refusal::SlowDown(wait) => Self::SlowDown(wait),
            Refusal::Impossible(reason) => Self::BadRequest(reason),
            Refusal::Conflict(reason) => Self::Conflict(reason),
        }
    }
}

/// A body in JSON. What is wrong with it is told like everything else.
pub(super) struct Given<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Given<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        match Json::<T>::from_request(request, state).await {
            Ok(Json(value)) => Ok(Self(value)),
            Err(error) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(Failure::TooLarge),
            Err(error) => Err(Failure::BadRequest(error.body_text())),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let wait = match &self {
            Self::SlowDown(wait) => Some(wait.as_secs_f64().ceil() as u64),
            _ => None,
        };
        let (status, code, message) = match self {
            Self::Login => (StatusCode::UNAUTHORIZED, "login", "log in first".to_owned()),
            Self::Wrong => (
                StatusCode::UNAUTHORIZED,
                "login",
                "name and password do not fit".to_owned(),
            ),
            Self::Second(reason) => (StatusCode::UNAUTHORIZED, "second", reason.to_owned()),
            Self::Forbidden(reason) => (StatusCode::FORBIDDEN, "forbidden", reason.to_owned()),
            Self::NotFound(reason) => (StatusCode::NOT_FOUND, "not-found", reason),
            Self::Conflict(reason) => (StatusCode::CONFLICT, "conflict", reason),
            Self::BadRequest(reason) => (StatusCode::UNPROCESSABLE_ENTITY, "bad-request", reason),
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "too-large",
                "the request is too long".to_owned(),
            ),
            Self::SlowDown(_) => (
                StatusCode::TOO_MANY_REQUESTS,
                "slow-down",
                "too many attempts: wait a little".to_owned(),
            ),
            Self::Trouble => (
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "the hub is in trouble: its log says more".to_owned(),
            ),
        };
        let document = serde_json::json!({"v": 1, "error": {"code": code, "message": message}});
        let mut response = (status, Json(document)).into_response();
        if let Some(wait) = wait {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(wait));
        }
        response
    }
}
