//! Ctrl-C and SIGTERM: the first asks to stop in good order, the second exits at once.

use std::time::Duration;

use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

pub(super) use crate::base::program::asked_to_stop as asked;
use crate::{app::App, base::tasks::Tasks};

/// Exit status after a second signal.
const IMPATIENT: i32 = 130;

/// Stops the agent; from now on any signal exits at once. Gives the runtime back for what else runs on it; none where a part of the
/// agent goes on: it needs the runtime until the process ends, and would complain about its absence otherwise.
pub(super) fn in_good_order(app: App, runtime: Runtime) -> Option<Runtime> {
    let impatience = Tasks::new(runtime.handle().clone(), CancellationToken::new());
    let token = impatience.token().clone();
    impatience.spawn("second signal", async move {
        if asked(token.clone()).await.is_ok() && !token.is_cancelled() {
            std::process::exit(IMPATIENT);
        }
    });
    let all_ended = app.stop();
    let _ = impatience.close(Duration::from_millis(100));
    if all_ended {
        return Some(runtime);
    }
    std::mem::forget(runtime);
    None
}
