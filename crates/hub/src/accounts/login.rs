//! How a session begins: the first account, a login, and what an account changes of itself.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use serde::Deserialize;

use super::{
    Accounts, Answer, LONGEST, LONGEST_NAME, Refusal, Role, Session,
    attempts::Who,
    database::{Database, KeptSession},
    digest::{Digest, digest},
    memory::Memory,
    second::{self, Offer, Second},
    sound,
};
use crate::{HubError, keys};

/// How long to wait where too many passwords are being looked at.
pub(super) const BUSY: Duration = Duration::from_secs(2);

/// What a browser gives to begin a session.
#[derive(Deserialize)]
pub(crate) struct Credentials {
    pub(crate) name: String,
    pub(crate) password: String,
    /// Of the second factor, or of the set-up.
    #[serde(default)]
    pub(crate) code: Option<String>,
}

/// A session that has begun; its tokens are for the browser alone.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) session: Session,
    pub(crate) token: String,
    /// By which the browser is known again.
    pub(crate) device: String,
}

impl Accounts {
    /// Makes the first account, for who knows the code that the log prints.
    pub(crate) async fn set_up(&self, from: IpAddr, given: &Credentials) -> Answer<Opened> {
        let wanted = self.0.set_up.lock().clone();
        let Some(wanted) = wanted.filter(|_| self.none()) else {
            return Ok(Err(Refusal::Conflict(
                "there is an account already".to_owned(),
            )));
        };
        // No account can have this name.
        let (who, account) = (Who::Stranger(from), "");
        if let Err(wait) = self.0.attempts.lock().begin(&who, account, Instant::now()) {
            return Ok(Err(Refusal::SlowDown(wait)));
        }
        let code = given.code.as_deref().unwrap_or_default();
        if digest(&second::plain(code)) != digest(&second::plain(&wanted)) {
            self.0.strangers.count(None, from);
            return Ok(Err(Refusal::SetUpCode));
        }
        let hash = match self
            .make(&given.name, &given.password, Role::Owner, true)
            .await?
        {
            Ok(hash) => hash,
            Err(refusal) => return Ok(Err(refusal)),
        };
        self.0
            .attempts
            .lock()
            .succeeded(&who, account, Instant::now());
        self.note(&given.name, "setup", "", "");
        self.begin(&given.name, hash, None, from).await
    }

    /// Opens a session. `device`: by what the browser says that it was logged in before.
    pub(crate) async fn log_in(
        &self,
        from: IpAddr,
        device: Option<&str>,
        given: &Credentials,
    ) -> Answer<Opened> {
        let name = given.name.as_str();
        if name.len() > LONGEST_NAME {
            self.0.strangers.count(None, from);
            return Ok(Err(Refusal::Wrong));
        }
        let device = device.filter(|device| {
            let memory = self.0.memory.lock();
            memory
                .devices
                .get(&digest(device))
                .is_some_and(|owner| owner == name)
        });
        let who = device.map_or(Who::Stranger(from), |device| Who::Browser(digest(device)));
        match self.tried(&who, given).await? {
            Ok(hash) => self.begin(name, hash, device, from).await,
            Err(refusal) => {
                let refused = matches!(refusal, Refusal::Wrong | Refusal::SlowDown(_))
                    || refusal == Refusal::Second { wrong: true };
                if refused {
                    let known = self.0.memory.lock().accounts.contains_key(name);
                    self.0.strangers.count(known.then_some(name), from);
                }
                Ok(Err(refusal))
            }
        }
    }

    /// Looks at name, password and code, as often as `who` may; the hash that the password fits.
    async fn tried(&self, who: &Who, given: &Credentials) -> Answer<String> {
        let name = given.name.as_str();
        let begun = self.0.attempts.lock().begin(who, name, Instant::now());
        match begun {
            Err(wait) => return Ok(Err(Refusal::SlowDown(wait))),
            Ok(takes) => tokio::time::sleep(takes).await,
        }
        let looked = self.looked_at(who, given).await?;
        let mut attempts = self.0.attempts.lock();
        match &looked {
            Ok(_) => attempts.succeeded(who, name, Instant::now()),
            Err(Refusal::SlowDown(_) | Refusal::Second { wrong: false } | Refusal::ClockUnsure) => {
                attempts.took_back(who, name, Instant::now());
            }
            Err(_) => {}
        }
        Ok(looked)
    }

    async fn looked_at(&self, who: &Who, given: &Credentials) -> Answer<String> {
        let known = self.0.memory.lock().accounts.get(&given.name).cloned();
        if given.password.len() > LONGEST * 4 {
            return Ok(Err(Refusal::Wrong));
        }
        let first = matches!(who, Who::Browser(_));
        let hash = known.as_ref().map(|known| known.hash.as_str());
        let Some(fits) = self.0.hashing.fits(first, &given.password, hash).await else {
            return Ok(Err(Refusal::SlowDown(BUSY)));
        };
        let Some(known) = known.filter(|_| fits) else {
            return Ok(Err(Refusal::Wrong));
        };
        match (&known.second, given.code.as_deref()) {
            (None, _) => Ok(Ok(known.hash)),
            (Some(_), None | Some("")) => Ok(Err(Refusal::Second { wrong: false })),
            (Some(second), Some(code)) => {
                let fits = self.second_fits(&given.name, second, code).await?;
                Ok(fits.map(|()| known.hash))
            }
        }
    }

    /// Whether a code of an authenticator, or a recovery code, fits; it is used up then.
    async fn second_fits(&self, name: &str, second: &Second, code: &str) -> Answer<()> {
        let (account, plain) = (name.to_owned(), second::plain(code));
        let digits = plain.len() == 6 && plain.bytes().all(|byte| byte.is_ascii_digit());
        if digits && !self.trusted() {
            return Ok(Err(Refusal::ClockUnsure));
        }
        let used = if digits {
            match second.step(&plain, self.0.clock.wall()) {
                None => false,
                Some(step) => {
                    let memory = Arc::clone(&self.0.memory);
                    let use_up = move |database: &mut Database| {
                        let used = database.use_step(&account, step)?;
                        let mut memory = memory.lock();
                        let known = memory.accounts.get_mut(&account);
                        if let Some(second) = known.and_then(|known| known.second.as_mut()) {
                            second.step = second.step.max(step);
                        }
                        Ok(used)
                    };
                    self.0.desk.ask(use_up).await?
                }
            }
        } else {
            let code = digest(&plain);
            let used = self
                .0
                .desk
                .ask(move |database| database.use_code(&account, &code))
                .await?;
            if used {
                self.note(name, "recovery", "", "");
            }
            used
        };
        Ok(if used {
            Ok(())
        } else {
            Err(Refusal::Second { wrong: true })
        })
    }

    /// Begins a session of `name`, whose password is still `hash`; on a full disk it lasts as long as the program.
    async fn begin(
        &self,
        name: &str,
        hash: String,
        device: Option<&str>,
        from: IpAddr,
    ) -> Answer<Opened> {
        let token = keys::random();
        let device = device.map_or_else(keys::random, str::to_owned);
        let (key, device_key) = (digest(&token), digest(&device));
        let kept = KeptSession {
            account: name.to_owned(),
            csrf: keys::random(),
            seen: self.0.clock.wall(),
        };
        let (memory, now) = (Arc::clone(&self.0.memory), self.0.clock.now());
        // On the thread that changes passwords too: none can change in between.
        let begun = self.0.desk.ask(move |database| {
            let same = |memory: &Memory| {
                let known = memory.accounts.get(&kept.account);
                known.is_some_and(|known| known.hash == hash)
            };
            if !same(&memory.lock()) {
                return Ok(None);
            }
            let written = database.open_session((key, &kept), device_key);
            if let Err(error) = &written {
                tracing::warn!(
                    "a session of {} ends with the program: {error}",
                    kept.account
                );
            }
            let mut memory = memory.lock();
            memory.devices.insert(device_key, kept.account.clone());
            Ok(memory.open(key, kept, written.is_ok(), now))
        });
        let Some(session) = begun.await? else {
            return Ok(Err(Refusal::Wrong));
        };
        self.note(name, "login", "", &from.to_string());
        Ok(Ok(Opened {
            session,
            token,
            device,
        }))
    }

    /// Whether `password` is that of the account of `session`, with a counter of its own.
    async fn confirmed(&self, session: &Session, password: &str) -> Answer<Digest> {
        let Some(token) = session.token else {
            let reason = "there is no account yet: make one first";
            return Ok(Err(Refusal::Conflict(reason.to_owned())));
        };
        let (who, name) = (Who::Browser(token), session.account.name.as_str());
        if let Err(wait) = self.0.attempts.lock().begin(&who, name, Instant::now()) {
            return Ok(Err(Refusal::SlowDown(wait)));
        }
        let hash = self
            .0
            .memory
            .lock()
            .accounts
            .get(name)
            .map(|known| known.hash.clone());
        let fits = self.0.hashing.fits(true, password, hash.as_deref()).await;
        if fits == Some(true) {
            self.0.attempts.lock().succeeded(&who, name, Instant::now());
        }
        Ok(match fits {
            Some(true) => Ok(token),
            Some(false) => Err(Refusal::Wrong),
            None => Err(Refusal::SlowDown(BUSY)),
        })
    }

    /// Changes the password of the account of `session`, and ends all its other sessions.
    pub(crate) async fn change_password(
        &self,
        session: &Session,
        device: Option<&str>,
        old: &str,
        new: &str,
    ) -> Answer<()> {
        let name = session.account.name.clone();
        let token = match self.confirmed(session, old).await? {
            Ok(token) => token,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if let Err(reason) = sound(&name, new) {
            return Ok(Err(Refusal::Impossible(reason)));
        }
        let Some(hash) = self.0.hashing.hash(new).await else {
            return Ok(Err(Refusal::SlowDown(BUSY)));
        };
        let (hash, keep, memory) = (
            hash?,
            Some((token, device.map(digest))),
            Arc::clone(&self.0.memory),
        );
        let changed = self.0.desk.ask({
            let name = name.clone();
            move |database| {
                let changed = database.change(&name, &hash, keep)?;
                let mut memory = memory.lock();
                if let Some(known) = memory.accounts.get_mut(&name) {
                    known.hash = hash;
                }
                memory.end_all(&name, keep);
                Ok(changed)
            }
        });
        if !changed.await? {
            return Ok(Err(Refusal::Conflict(format!(
                "there is no account {name}"
            ))));
        }
        self.note(&name, "password", "", "");
        Ok(Ok(()))
    }

    /// Offers a second factor to the account of `session`; it counts once it is confirmed.
    pub(crate) async fn offer_second(&self, session: &Session, password: &str) -> Answer<Offer> {
        if let Err(refusal) = self.confirmed(session, password).await? {
            return Ok(Err(refusal));
        }
        let second = Second::new();
        let offer = second.offer(&session.account.name)?;
        let name = session.account.name.clone();
        self.0.offered.lock().insert(name, second);
        Ok(Ok(offer))
    }

    /// The account of `session` has the offered second factor from now on; its recovery codes.
    pub(crate) async fn confirm_second(
        &self,
        session: &Session,
        code: &str,
    ) -> Answer<Vec<String>> {
        let name = session.account.name.clone();
        let Some(mut second) = self.0.offered.lock().get(&name).cloned() else {
            let reason = "nothing was offered: begin again";
            return Ok(Err(Refusal::Conflict(reason.to_owned())));
        };
        if !self.trusted() {
            return Ok(Err(Refusal::ClockUnsure));
        }
        let Some(step) = second.step(&second::plain(code), self.0.clock.wall()) else {
            return Ok(Err(Refusal::Second { wrong: true }));
        };
        second.step = step;
        let (codes, kept) = second::recovery();
        self.set_second(&name, Some(second), kept).await?;
        self.0.offered.lock().remove(&name);
        self.note(&name, "second", "", "on");
        Ok(Ok(codes))
    }

    /// Takes the second factor of the account of `session` away.
    pub(crate) async fn drop_second(&self, session: &Session, password: &str) -> Answer<()> {
        if let Err(refusal) = self.confirmed(session, password).await? {
            return Ok(Err(refusal));
        }
        let name = &session.account.name;
        self.set_second(name, None, Vec::new()).await?;
        self.note(name, "second", "", "off");
        Ok(Ok(()))
    }

    async fn set_second(
        &self,
        name: &str,
        second: Option<Second>,
        codes: Vec<Digest>,
    ) -> Result<(), HubError> {
        let (name, memory) = (name.to_owned(), Arc::clone(&self.0.memory));
        let set = self.0.desk.ask(move |database| {
            database.set_second(&name, second.as_ref(), &codes)?;
            if let Some(known) = memory.lock().accounts.get_mut(&name) {
                known.second = second;
            }
            Ok(())
        });
        set.await
    }
}
