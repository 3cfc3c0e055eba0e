//! The accounts as the command line sees them: `lares hub account add|ls|rm`, also beside a hub that is running.

use std::path::Path;

use super::{Accounts, FILE, Refusal, Role, word};
use crate::hub::HubError;

/// The accounts, for the command line.
pub struct AccountBook(Accounts);

impl AccountBook {
    /// Opens the accounts of the hub in `dir`, which may be running.
    ///
    /// # Errors
    /// When the database cannot be opened.
    pub fn open(dir: &Path) -> Result<Self, HubError> {
        std::fs::create_dir_all(dir).map_err(|error| HubError::file(dir, error))?;
        Accounts::open(dir).map(Self)
    }

    /// Whether the hub in `dir` has an account. Makes no file where there is none.
    #[must_use]
    pub fn has_any(dir: &Path) -> bool {
        dir.join(FILE).exists()
            && Self::open(dir)
                .and_then(|book| book.0.none())
                .is_ok_and(|none| !none)
    }

    /// Makes an account; it may look and change, or only look.
    ///
    /// # Errors
    /// When name or password are of no use, or the name is taken.
    pub fn add(&self, name: &str, password: &str, viewer: bool) -> Result<(), HubError> {
        let role = if viewer { Role::Viewer } else { Role::Owner };
        if viewer && self.0.none()? {
            let reason = "the first account must be an owner: nobody could change anything";
            return Err(HubError::Account(reason.to_owned()));
        }
        said(self.0.add(name, password, role)?)
    }

    /// Deletes an account.
    ///
    /// # Errors
    /// When there is none of this name, or it is the last owner.
    pub fn remove(&self, name: &str) -> Result<(), HubError> {
        said(self.0.remove(name)?)
    }

    /// Names and roles.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn all(&self) -> Result<Vec<(String, &'static str)>, HubError> {
        let all = self.0.all()?.into_iter();
        Ok(all
            .map(|account| (account.name, word(account.role)))
            .collect())
    }
}

fn said(done: Result<(), Refusal>) -> Result<(), HubError> {
    done.map_err(|refusal| match refusal {
        Refusal::Impossible(reason) | Refusal::Conflict(reason) => HubError::Account(reason),
        Refusal::Wrong | Refusal::SlowDown(_) => HubError::Account("it was refused".to_owned()),
    })
}
