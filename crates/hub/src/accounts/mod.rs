//! Who may look and who may change: accounts, sessions, and a record of what was done by whom.
//!
//! In: names, passwords and tokens of browsers. Out: who it is. A hub without an account lets nobody in but the one who knows the
//! set-up code that its log prints, to make the first owner.
//!
//! | part | what it does |
//! |---|---|
//! | `memory` | what requests read: no disk, no waiting |
//! | `database`, `desk` | what is kept, and the thread that writes it |
//! | `hashing` | passwords, one at a time |
//! | `attempts` | how often one may try |
//! | `second` | the second factor |
//! | `strangers` | what was refused, summed |
//! | `login` | how a session begins, and passwords change |
//! | `book` | the command line |

mod attempts;
mod book;
mod database;
mod desk;
mod digest;
mod hashing;
mod login;
mod memory;
mod second;
mod strangers;

use std::{path::Path, sync::Arc, time::Duration};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

pub use book::AccountBook;
pub(super) use login::{Credentials, Opened};
pub(super) use memory::COOKIE_KEPT;
pub(super) use second::Offer;

use self::{
    attempts::Attempts,
    database::{Database, Known},
    desk::{Desk, Papers},
    digest::{Digest, digest},
    hashing::Hashing,
    memory::Memory,
    second::Second,
    strangers::Strangers,
};
use super::{HubError, keys};
use crate::{
    base::{clock::Clock, tasks::Tasks},
    flow::{ClockState, WallTime},
};

/// Shortest password, in characters.
const SHORTEST: usize = 10;
/// Longest one; hashing more would cost for nothing.
const LONGEST: usize = 256;
/// Longest name of an account. It is what a box writes in its ledger.
const LONGEST_NAME: usize = 64;
/// Letters of the set-up code, each of 5 bits.
const SET_UP_LETTERS: usize = 8;

/// What an account may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Role {
    /// Look.
    Viewer,
    /// Change.
    Owner,
}

impl Role {
    fn word(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Owner => "owner",
        }
    }

    fn of(word: &str) -> Self {
        if word == "owner" {
            Self::Owner
        } else {
            Self::Viewer
        }
    }
}

/// Who it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) role: Role,
}

/// A browser that is logged in.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) account: Account,
    pub(super) csrf: String,
    /// Whether the account has a second factor.
    pub(super) second: bool,
    /// None: the page is open to everybody on this machine.
    token: Option<Digest>,
    /// Cancelled when the session ends, wherever that is decided.
    pub(super) over: CancellationToken,
}

/// Why an account or a login was refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Name and password do not fit.
    Wrong,
    /// They do, but a code of the second factor is asked for, or does not fit.
    Second {
        /// A code was given.
        wrong: bool,
    },
    /// A code of an authenticator cannot be judged: the box does not know the time.
    ClockUnsure,
    /// Too many attempts, or too many of others at once.
    SlowDown(Duration),
    /// The set-up code does not fit.
    SetUpCode,
    /// Not possible; one sentence.
    Impossible(String),
    /// There is none, or one already.
    Conflict(String),
}

/// A line of the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct LogEntry {
    pub(super) at: WallTime,
    pub(super) account: String,
    pub(super) what: String,
    /// Names of what it was done to, such as "Front door"; may be empty.
    pub(super) about: String,
    /// Identities, for programs.
    pub(super) detail: String,
}

/// What may be awaited of accounts: an answer, a refusal, or trouble of the hub.
pub(super) type Answer<T> = Result<Result<T, Refusal>, HubError>;

/// Accounts, sessions and the record. Cheap to clone.
#[derive(Clone)]
pub(super) struct Accounts(Arc<Inner>);

struct Inner {
    memory: Arc<Mutex<Memory>>,
    desk: Desk,
    hashing: Hashing,
    attempts: Mutex<Attempts>,
    strangers: Arc<Strangers>,
    clock: Arc<dyn Clock>,
    /// The code for the first account; none once there is one.
    set_up: Mutex<Option<String>>,
    /// Second factors that were offered and not yet confirmed.
    offered: Mutex<std::collections::HashMap<String, Second>>,
    /// The session of everybody, while nobody has an account; for the demo.
    open: Option<Session>,
}

impl Accounts {
    /// Opens the accounts in `dir`. `open_page`: while nobody has an account, everybody is an owner.
    ///
    /// # Errors
    /// When the database cannot be opened, or is of a newer program.
    pub(super) fn open(
        dir: &Path,
        open_page: bool,
        clock: Arc<dyn Clock>,
        tasks: &Tasks,
    ) -> Result<Self, HubError> {
        let failed = |error| HubError::file(dir, error);
        let database = Database::open(dir)?;
        let memory = Memory::new(database.snapshot()?);
        let set_up = memory
            .accounts
            .is_empty()
            .then(|| second::code(SET_UP_LETTERS));
        if let Some(code) = &set_up
            && !open_page
        {
            tracing::warn!(
                "nobody has an account yet: open the page and create the owner with the set-up code {code}"
            );
        }
        let (memory, strangers) = (Arc::new(Mutex::new(memory)), Arc::new(Strangers::default()));
        let papers = Papers {
            database,
            memory: Arc::clone(&memory),
            strangers: Arc::clone(&strangers),
            clock: Arc::clone(&clock),
        };
        let open = open_page.then(|| Session {
            account: Account {
                name: "local".to_owned(),
                role: Role::Owner,
            },
            csrf: keys::random(),
            second: false,
            token: None,
            over: CancellationToken::new(),
        });
        Ok(Self(Arc::new(Inner {
            memory,
            desk: Desk::start(papers, tasks).map_err(failed)?,
            hashing: Hashing::start(tasks).map_err(failed)?,
            attempts: Mutex::new(Attempts::new()),
            strangers,
            clock,
            set_up: Mutex::new(set_up),
            offered: Mutex::default(),
            open,
        })))
    }

    /// Whether nobody has an account.
    pub(super) fn none(&self) -> bool {
        self.0.memory.lock().accounts.is_empty()
    }

    /// The session of everybody, where the page is open and nobody has an account.
    pub(super) fn everybody(&self) -> Option<Session> {
        self.0.open.clone().filter(|_| self.none())
    }

    /// Every account, in alphabetical order.
    pub(super) fn all(&self) -> Vec<Account> {
        let memory = self.0.memory.lock();
        let accounts = memory.accounts.iter().map(|(name, known)| Account {
            name: name.clone(),
            role: known.role,
        });
        let mut all: Vec<Account> = accounts.collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    fn trusted(&self) -> bool {
        self.0.clock.state() == ClockState::Good
    }

    /// The session of a token; none where it is over.
    pub(super) fn session(&self, token: &str) -> Option<Session> {
        let (token, wall) = (digest(token), self.0.clock.wall());
        let moment = (self.0.clock.now(), wall);
        let found = self.0.memory.lock().session(&token, moment, self.trusted());
        let (session, fresh) = found?;
        if fresh {
            self.0
                .desk
                .write(move |database| database.seen(&token, wall));
        }
        Some(session)
    }

    /// Ends a session.
    pub(super) fn log_out(&self, session: &Session) {
        if let Some(token) = session.token {
            self.0.memory.lock().end(&token);
            self.0
                .desk
                .write(move |database| database.end_session(&token));
            self.note(&session.account.name, "logout", "", "");
        }
    }

    /// Makes an account, for an owner who is logged in.
    pub(super) async fn add(&self, name: &str, password: &str, role: Role) -> Answer<()> {
        if self.none() && role != Role::Owner {
            let reason = "the first account must be an owner: nobody could change anything";
            return Ok(Err(Refusal::Conflict(reason.to_owned())));
        }
        let made = self.make(name, password, role, false).await?;
        Ok(made.map(drop))
    }

    /// Makes an account; its hash.
    async fn make(&self, name: &str, password: &str, role: Role, first: bool) -> Answer<String> {
        if let Err(reason) = sound(name, password) {
            return Ok(Err(Refusal::Impossible(reason)));
        }
        let Some(hash) = self.0.hashing.hash(password).await else {
            return Ok(Err(Refusal::SlowDown(login::BUSY)));
        };
        let hash = hash?;
        let known = Known {
            role,
            hash: hash.clone(),
            second: None,
        };
        let (name, memory) = (name.to_owned(), Arc::clone(&self.0.memory));
        let added = self.0.desk.ask({
            let name = name.clone();
            move |database| {
                let added = database.add(&name, role, &known.hash, first)?;
                if added {
                    memory.lock().accounts.insert(name, known);
                }
                Ok(added)
            }
        });
        if !added.await? {
            let reason = format!("there is an account {name} already: choose another name");
            return Ok(Err(Refusal::Conflict(reason)));
        }
        self.0.set_up.lock().take();
        if let Some(open) = &self.0.open {
            open.over.cancel();
        }
        Ok(Ok(hash))
    }

    /// Deletes an account and its sessions, at once and everywhere; the last owner stays.
    pub(super) async fn remove(&self, name: &str) -> Answer<()> {
        let (name, memory) = (name.to_owned(), Arc::clone(&self.0.memory));
        let removed = self.0.desk.ask({
            let name = name.clone();
            move |database| {
                let removed = database.remove(&name)?;
                if removed == Some(true) {
                    let mut memory = memory.lock();
                    memory.accounts.remove(&name);
                    memory.end_all(&name, None);
                }
                Ok(removed)
            }
        });
        Ok(removed_or_why(removed.await?, &name))
    }

    /// Writes down what somebody did, without waiting for it: a full disk keeps nobody from looking or arming.
    pub(super) fn note(&self, account: &str, what: &str, about: &str, detail: &str) {
        let act = LogEntry {
            at: self.0.clock.wall(),
            account: account.to_owned(),
            what: what.to_owned(),
            about: about.to_owned(),
            detail: detail.to_owned(),
        };
        self.0.desk.write(move |database| database.note(&act));
    }

    /// The newest lines of the record, at most `most`.
    pub(super) async fn log(&self, most: u32) -> Result<Vec<LogEntry>, HubError> {
        self.0.desk.ask(move |database| database.log(most)).await
    }
}

#[cfg(test)]
impl Accounts {
    pub(super) fn set_up_code(&self) -> Option<String> {
        self.0.set_up.lock().clone()
    }

    pub(super) fn code_now(&self, secret: &str) -> String {
        Second::code(secret, self.0.clock.wall())
    }
}

fn removed_or_why(removed: Option<bool>, name: &str) -> Result<(), Refusal> {
    match removed {
        Some(true) => Ok(()),
        Some(false) => Err(Refusal::Conflict(
            "the last owner stays: make another one first".to_owned(),
        )),
        None => Err(Refusal::Conflict(format!("there is no account {name}"))),
    }
}

/// Whether name and password can be used; else what to change.
fn sound(name: &str, password: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(plain) {
        return Err(format!(
            "choose a name of 1 to {LONGEST_NAME} letters, digits, \".\", \"_\" or \"-\""
        ));
    }
    let length = password.chars().count();
    if !(SHORTEST..=LONGEST).contains(&length) {
        return Err(format!(
            "choose a password of {SHORTEST} to {LONGEST} characters"
        ));
    }
    if password.eq_ignore_ascii_case(name) {
        return Err("choose a password that is not the name".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests;
