//! The accounts as the command line sees them: `lares hub account`, also beside a hub that is running, which notices within a
//! second.

use std::{os::unix::fs::DirBuilderExt, path::Path};

use parking_lot::Mutex;

use super::{
    Refusal, Role,
    database::{Database, FILE},
    hashing, removed_or_why, sound,
};
use crate::HubError;

/// The accounts, for the command line.
pub struct AccountBook(Mutex<Database>);

impl AccountBook {
    /// Opens the accounts of the hub in `dir`, which may be running.
    ///
    /// # Errors
    /// When the database cannot be opened.
    pub fn open(dir: &Path) -> Result<Self, HubError> {
        let mut folder = std::fs::DirBuilder::new();
        folder
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(|error| HubError::file(dir, error))?;
        Ok(Self(Mutex::new(Database::open(dir)?)))
    }

    /// Whether the hub in `dir` has an account. Makes no file where there is none.
    #[must_use]
    pub fn has_any(dir: &Path) -> bool {
        dir.join(FILE).exists()
            && Self::open(dir)
                .and_then(|book| book.all())
                .is_ok_and(|all| !all.is_empty())
    }

    /// Makes an account; it may look and change, or only look.
    ///
    /// # Errors
    /// When name or password are of no use, or the name is taken.
    pub fn add(&self, name: &str, password: &str, viewer: bool) -> Result<(), HubError> {
        let role = if viewer { Role::Viewer } else { Role::Owner };
        if viewer && self.all()?.is_empty() {
            let reason = "the first account must be an owner: nobody could change anything";
            return Err(HubError::Account(reason.to_owned()));
        }
        sound(name, password).map_err(HubError::Account)?;
        let hash = hashing::hash(password)?;
        if !self.0.lock().add(name, role, &hash, false)? {
            let reason = format!("there is an account {name} already: choose another name");
            return Err(HubError::Account(reason));
        }
        Ok(())
    }

    /// Gives an account a new password, takes its second factor away and ends all its sessions: for who is locked out.
    ///
    /// # Errors
    /// When there is none of this name, or the password is of no use.
    pub fn reset(&self, name: &str, password: &str) -> Result<(), HubError> {
        sound(name, password).map_err(HubError::Account)?;
        let hash = hashing::hash(password)?;
        let mut database = self.0.lock();
        if !database.change(name, &hash, None)? {
            return Err(HubError::Account(format!("there is no account {name}")));
        }
        database.set_second(name, None, &[])
    }

    /// Deletes an account.
    ///
    /// # Errors
    /// When there is none of this name, or it is the last owner.
    pub fn remove(&self, name: &str) -> Result<(), HubError> {
        let removed = self.0.lock().remove(name)?;
        removed_or_why(removed, name).map_err(|refusal| match refusal {
            Refusal::Conflict(reason) => HubError::Account(reason),
            _ => HubError::Account("it was refused".to_owned()),
        })
    }

    /// Names and roles.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn all(&self) -> Result<Vec<(String, &'static str)>, HubError> {
        let accounts = self.0.lock().snapshot()?.accounts.into_iter();
        let mut all: Vec<_> = accounts
            .map(|(name, known)| (name, known.role.word()))
            .collect();
        all.sort();
        Ok(all)
    }
}
