//! What the program remembers of accounts, so that a request waits for no disk: who there is, and who is logged in.

use std::collections::HashMap;

use tokio_util::sync::CancellationToken;

use super::{
    Account, Session,
    database::{KeptSession, Known, SESSIONS_KEPT, Snapshot},
    digest::Digest,
};
use crate::flow::{MediaTime, WallTime};

/// A session that nobody has used for this long is over, in milliseconds.
const SESSION_KEPT: i64 = 30 * 24 * 3600 * 1000;
/// How often it is written down that a session was used, in milliseconds.
const SEEN_EVERY: i64 = 3600 * 1000;

/// A session.
pub(super) struct Live {
    account: String,
    csrf: String,
    /// When it was used last, as the clock said then.
    seen: WallTime,
    /// The same on the monotonic time line, where that was in this run of the program.
    used: Option<MediaTime>,
    over: CancellationToken,
    /// Whether it lies in the database; on a full disk a session ends with the program.
    kept: bool,
}

impl Drop for Live {
    /// Whatever is open in this session ends with it.
    fn drop(&mut self) {
        self.over.cancel();
    }
}

/// All of it.
#[derive(Default)]
pub(super) struct Memory {
    pub(super) accounts: HashMap<String, Known>,
    sessions: HashMap<Digest, Live>,
    pub(super) devices: HashMap<Digest, String>,
}

impl Memory {
    pub(super) fn new(snapshot: Snapshot) -> Self {
        let sessions = snapshot.sessions.into_iter().map(|(token, kept)| {
            let live = Live {
                account: kept.account,
                csrf: kept.csrf,
                seen: kept.seen,
                used: None,
                over: CancellationToken::new(),
                kept: true,
            };
            (token, live)
        });
        Self {
            sessions: sessions.collect(),
            accounts: snapshot.accounts,
            devices: snapshot.devices,
        }
    }

    /// Takes over what the command line has changed: sessions that it ended are over.
    pub(super) fn take_over(&mut self, snapshot: Snapshot) {
        let (before, now) = (&self.accounts, &snapshot.accounts);
        self.sessions.retain(|token, live| {
            let same = before.get(&live.account).map(|known| &known.hash)
                == now.get(&live.account).map(|known| &known.hash);
            same && now.contains_key(&live.account)
                && (!live.kept || snapshot.sessions.contains_key(token))
        });
        self.accounts = snapshot.accounts;
        self.devices = snapshot.devices;
    }

    /// Remembers a session that begins `now`. `written`: it lies in the database too.
    pub(super) fn open(
        &mut self,
        token: Digest,
        session: KeptSession,
        written: bool,
        now: MediaTime,
    ) -> Option<Session> {
        let of_account = |live: &Live| live.account == session.account;
        if self
            .sessions
            .values()
            .filter(|live| of_account(live))
            .count()
            >= SESSIONS_KEPT
        {
            let theirs = self.sessions.iter().filter(|(_, live)| of_account(live));
            let oldest = theirs.min_by_key(|(_, live)| (live.used, live.seen));
            if let Some(token) = oldest.map(|(token, _)| *token) {
                self.sessions.remove(&token);
            }
        }
        let live = Live {
            account: session.account,
            csrf: session.csrf,
            seen: session.seen,
            used: Some(now),
            over: CancellationToken::new(),
            kept: written,
        };
        self.sessions.insert(token, live);
        self.find(&token)
    }

    fn find(&self, token: &Digest) -> Option<Session> {
        let live = self.sessions.get(token)?;
        let known = self.accounts.get(&live.account)?;
        Some(Session {
            account: Account {
                name: live.account.clone(),
                role: known.role,
            },
            csrf: live.csrf.clone(),
            second: known.second.is_some(),
            token: Some(*token),
            over: live.over.clone(),
        })
    }

    /// The session of a token; true where it should be written down that it was used.
    ///
    /// A clock that steps ends no session: since one was used in this run of the program, the monotonic clock counts. Before that
    /// a clock that is `trusted` may say that one is over; it is refused then and not forgotten, as the clock may be ahead.
    pub(super) fn session(
        &mut self,
        token: &Digest,
        (now, wall): (MediaTime, WallTime),
        trusted: bool,
    ) -> Option<(Session, bool)> {
        let live = self.sessions.get_mut(token)?;
        let age = wall.0.saturating_sub(live.seen.0);
        match live.used {
            Some(used) if now.since(used).as_millis() >= SESSION_KEPT as u128 => {
                self.sessions.remove(token);
                return None;
            }
            None if trusted && age >= SESSION_KEPT => return None,
            _ => {}
        }
        live.used = Some(now);
        let fresh = trusted && !(0..SEEN_EVERY).contains(&age);
        if fresh {
            live.seen = wall;
        }
        Some((self.find(token)?, fresh))
    }

    pub(super) fn end(&mut self, token: &Digest) {
        self.sessions.remove(token);
    }

    /// Ends the sessions of `account`, and forgets its browsers, but for those.
    pub(super) fn end_all(&mut self, account: &str, but: Option<(Digest, Option<Digest>)>) {
        let (session, device) =
            but.map_or((None, None), |(session, device)| (Some(session), device));
        self.sessions
            .retain(|token, live| live.account != account || Some(*token) == session);
        self.devices
            .retain(|token, owner| owner != account || Some(*token) == device);
    }
}

/// For how long a browser keeps the cookie of a session, in seconds.
pub(crate) const COOKIE_KEPT: i64 = SESSION_KEPT / 1000;
