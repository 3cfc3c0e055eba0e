//! Hashes passwords, one at a time on a thread of its own: each takes 19 MB and some hundredths of a second of a core.
//!
//! Few may wait. Browsers that were logged in before have a queue of their own, which comes first: strangers cannot fill it.

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use tokio::sync::{mpsc, oneshot};

use crate::{HubError, base::tasks::Tasks};

/// Passwords of strangers that may wait.
const STRANGERS: usize = 8;
/// Passwords of others that may wait.
const OTHERS: usize = 8;
/// The hash of nothing: a name that there is none of costs as much time as one that there is.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

type Work = Box<dyn FnOnce() + Send>;

/// Hands passwords to the thread.
#[derive(Clone)]
pub(super) struct Hashing {
    first: mpsc::Sender<Work>,
    then: mpsc::Sender<Work>,
}

/// The hash of a new password.
pub(super) fn hash(password: &str) -> Result<String, HubError> {
    Argon2::default()
        .hash_password(password.as_bytes())
        .map(|hash| hash.to_string())
        .map_err(|error| HubError::Password(error.to_string()))
}

fn fits(password: &str, hash: Option<&str>) -> bool {
    let found = PasswordHash::new(hash.unwrap_or(NOBODY)).is_ok_and(|hash| {
        Argon2::default()
            .verify_password(password.as_bytes(), &hash)
            .is_ok()
    });
    found && hash.is_some()
}

impl Hashing {
    /// Starts the thread, which ends with `tasks`.
    pub(super) fn start(tasks: &Tasks) -> std::io::Result<Self> {
        let (first, mut urgent) = mpsc::channel::<Work>(OTHERS);
        let (then, mut strangers) = mpsc::channel::<Work>(STRANGERS);
        let (stop, runtime) = (tasks.token().clone(), tasks.runtime().clone());
        tasks.thread("hashing", move || {
            while let Some(work) = runtime.block_on(async {
                tokio::select! {
                    biased;
                    () = stop.cancelled() => None,
                    work = urgent.recv() => work,
                    work = strangers.recv() => work,
                }
            }) {
                work();
            }
        })?;
        Ok(Self { first, then })
    }

    async fn run<T: Send + 'static>(
        &self,
        first: bool,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (answer, answered) = oneshot::channel::<T>();
        let work: Work = Box::new(move || {
            // Who has hung up in the meantime costs nothing.
            if !answer.is_closed() {
                let _ = answer.send(work());
            }
        });
        let queue = if first { &self.first } else { &self.then };
        queue.try_send(work).ok()?;
        answered.await.ok()
    }

    /// Whether `password` fits `hash`; none where too many wait. `first`: for a browser that was logged in before.
    pub(super) async fn fits(
        &self,
        first: bool,
        password: &str,
        hash: Option<&str>,
    ) -> Option<bool> {
        let (password, hash) = (password.to_owned(), hash.map(str::to_owned));
        self.run(first, move || fits(&password, hash.as_deref()))
            .await
    }

    /// The hash of a new password of somebody who is logged in; none where too many wait.
    pub(super) async fn hash(&self, password: &str) -> Option<Result<String, HubError>> {
        let password = password.to_owned();
        self.run(true, move || hash(&password)).await
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use tokio_util::sync::CancellationToken;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_flood_of_strangers_waits_behind_the_household() {
        let tasks = Tasks::new(tokio::runtime::Handle::current(), CancellationToken::new());
        let hashing = Hashing::start(&tasks).unwrap();
        let kept = hash("correct horse battery").unwrap();
        let began = Instant::now();
        let flood = futures::future::join_all((0..50).map(|_| hashing.fits(false, "guess", None)));
        let household = async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let asked = Instant::now();
            let fits = hashing
                .fits(true, "correct horse battery", Some(&kept))
                .await;
            assert_eq!(fits, Some(true));
            asked.elapsed()
        };
        let (flood, took) = tokio::join!(flood, household);
        let mut refused = 0;
        for guess in flood {
            match guess {
                Some(fits) => assert!(!fits),
                None => refused += 1,
            }
        }
        assert!(refused >= 50 - STRANGERS - 2, "{refused}");
        // The one that was being hashed, and then the household's.
        assert!(
            took * 3 < began.elapsed(),
            "{took:?} of {:?}",
            began.elapsed()
        );
        let _ = tasks.close(Duration::from_secs(5));
    }
}
