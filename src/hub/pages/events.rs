//! What happens, as it happens: server-sent events.

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::State,
    response::sse::{Event, KeepAlive, Sse},
};
use futures::{Stream, stream};

use super::{Page, incidents::IncidentView};
use crate::hub::house::News;

/// A comment comes this often, so that both ends notice a dead connection.
const ALIVE_EVERY: Duration = Duration::from_secs(15);

pub(super) async fn stream(
    State(page): State<Page>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let news = page.house.listen();
    // Who has fallen too far behind is let go: the page comes back and asks for everything anew.
    let events = stream::unfold((page, news), |(page, mut news)| async move {
        let stop = page.tasks.token().clone();
        // A browser that listens must not hold up the end of the program.
        let heard = tokio::select! {
            heard = news.recv() => heard,
            () = stop.cancelled() => return None,
        };
        let event = match heard.ok()? {
            News::House => Event::default().event("house").json_data(page.view()),
            News::Incident(message) => Event::default()
                .event("incident")
                .json_data(IncidentView::new(&page, *message).await),
        };
        Some((Ok(event.ok()?), (page, news)))
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(ALIVE_EVERY))
}
