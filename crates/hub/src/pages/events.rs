//! What happens, as it happens: server-sent events.

use std::{convert::Infallible, time::Duration};

use axum::{
    Extension,
    extract::State,
    http::HeaderName,
    response::{
        IntoResponse,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures::{StreamExt, stream};

use super::{Page, incidents::IncidentView};
use crate::{accounts::Session, house::News};

/// A comment comes this often, so that both ends notice a dead connection.
const ALIVE_EVERY: Duration = Duration::from_secs(15);

/// A proxy must pass on each event when it comes, and no cache may keep them.
const AT_ONCE: [(HeaderName, &str); 2] = [
    (HeaderName::from_static("x-accel-buffering"), "no"),
    (
        HeaderName::from_static("cache-control"),
        "no-store, no-transform",
    ),
];

pub(super) async fn stream(
    State(page): State<Page>,
    Extension(session): Extension<Session>,
) -> impl IntoResponse {
    let news = page.house.listen();
    // Something comes at once: some proxies hold back the head of an answer until then.
    let hello = stream::once(async { Ok::<_, Infallible>(Event::default().comment("hello")) });
    // Who has fallen too far behind is let go: the page comes back and asks for everything again.
    let state = (page, session, news);
    let events = stream::unfold(state, |(page, session, mut news)| async move {
        let stop = page.tasks.token().clone();
        // Nobody listens beyond the end of the session, or holds up the end of the program.
        let heard = tokio::select! {
            biased;
            () = session.over.cancelled() => return None,
            () = stop.cancelled() => return None,
            heard = news.recv() => heard,
        };
        let event = match heard.ok()? {
            News::House => Event::default().event("house").json_data(page.view()),
            News::Gone(id) => Event::default()
                .event("gone")
                .json_data(serde_json::json!({ "v": 1, "id": id })),
            News::Incident(message) => Event::default()
                .event("incident")
                .json_data(IncidentView::new(&page, *message).await),
        };
        Some((Ok(event.ok()?), (page, session, news)))
    });
    let alive = KeepAlive::new().interval(ALIVE_EVERY);
    (AT_ONCE, Sse::new(hello.chain(events)).keep_alive(alive))
}
