//! Takes connections as they come, each with its place in the crowd, and hands each to a task of its own.

use std::{future::Future, net::SocketAddr, time::Duration};

use tokio::net::{TcpListener, TcpStream};

use super::{
    Limits,
    crowd::{Crowd, Place},
};
use crate::base::{log_throttle::LogThrottle, tasks::Tasks};

/// After a failure to accept: the process has too many files open, or the system no memory.
const BREATH: Duration = Duration::from_millis(100);
/// Failures to accept, and connections that have to go for others, are each told at most this often.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// Hands connections to `client` until `tasks` stop. `name` is the port's, for the log and among the tasks.
pub async fn accept<F>(
    name: &'static str,
    limits: Limits,
    listener: TcpListener,
    tasks: &Tasks,
    client: impl Fn(TcpStream, SocketAddr, Place) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let crowd = Crowd::new(limits);
    let tells = LogThrottle::new(TELL_EVERY);
    let tells_crowded = LogThrottle::new(TELL_EVERY);
    let stop = tasks.token().clone();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((socket, peer)) => {
                let place = crowd.enter(peer.ip());
                if let Some(address) = place.instead_of
                    && tells_crowded.may()
                {
                    tracing::warn!(
                        port = name,
                        %address,
                        "more connections without a login or key than there is room for ({}): the oldest of the address \
                         that has most are closed",
                        limits.strangers
                    );
                }
                tasks.spawn(name, client(socket, peer, place));
            }
            Err(error) => {
                if tells.may() {
                    let (strangers, known) = crowd.count();
                    tracing::warn!(
                        port = name,
                        strangers,
                        known,
                        "no further connection could be taken: {error}"
                    );
                }
                tokio::time::sleep(BREATH).await;
            }
        }
    }
}
