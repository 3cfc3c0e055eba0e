//! What opens the hub's doors: one secret for each site, one for the hub itself and one for Home Assistant.
//!
//! In: the hub's folder. Out: secrets, made once from the system's random numbers and kept in files that only this user can
//! read. A site's secret is its password at the broker and its secret key at the store; its name is its user and access key.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use super::HubError;
use crate::{base::durable, config::Secret, flow::SiteId};

/// The hub's own user at the broker. No site can have this name.
pub(super) const HUB_USER: &str = "_hub";
/// The user at the broker for Home Assistant, or another program of the household.
pub const HOUSE_USER: &str = "_house";

/// The file of its secret.
const HOUSE_FILE: &str = "house";
/// Characters of the secret part of a client's name.
const CLIENT: usize = 16;
/// Random bytes of a secret.
const BYTES: usize = 24;

/// Everybody's secrets.
#[derive(Debug, Clone)]
pub struct Keys {
    sites: BTreeMap<SiteId, Secret>,
    hub: Secret,
    house: Option<Secret>,
    client: String,
}

impl Keys {
    /// Reads the secrets in `dir`, and makes those that are missing; that of the house only where `with_house` says so.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub fn load(
        dir: &Path,
        sites: impl IntoIterator<Item = SiteId>,
        with_house: bool,
    ) -> Result<Self, HubError> {
        durable::make_dir(dir).map_err(|error| HubError::file(dir, error))?;
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700))
            .map_err(|error| HubError::file(dir, error))?;
        let sites = sites
            .into_iter()
            .map(|site| Ok((site.clone(), secret(dir.join(format!("site-{site}")))?)))
            .collect::<Result<_, HubError>>()?;
        Ok(Self {
            sites,
            hub: secret(dir.join("hub"))?,
            house: with_house
                .then(|| secret(dir.join(HOUSE_FILE)))
                .transpose()?,
            client: secret(dir.join("client"))?.expose().to_owned(),
        })
    }

    /// Whether somebody has been given the key of the house.
    pub(super) fn has_house(dir: &Path) -> bool {
        dir.join(HOUSE_FILE).exists()
    }

    /// The secret of `site`; none where the hub does not know it.
    #[must_use]
    pub fn site(&self, site: &str) -> Option<&Secret> {
        self.sites.get(&site.parse::<SiteId>().ok()?)
    }

    /// The sites, in alphabetical order.
    pub fn sites(&self) -> impl Iterator<Item = &SiteId> {
        self.sites.keys()
    }

    /// The hub's own.
    pub(super) fn hub(&self) -> &Secret {
        &self.hub
    }

    /// Part of the name by which the hub connects to a broker, which nobody can guess.
    pub(super) fn client(&self) -> &str {
        &self.client[..self.client.len().min(CLIENT)]
    }

    /// That of [`HOUSE_USER`], where there is one.
    #[must_use]
    pub fn house(&self) -> Option<&Secret> {
        self.house.as_ref()
    }

    /// Users of the broker, with their passwords.
    pub(super) fn users(&self) -> impl Iterator<Item = (&str, &Secret)> {
        let sites = self
            .sites
            .iter()
            .map(|(site, secret)| (site.as_str(), secret));
        let house = self.house.iter().map(|house| (HOUSE_USER, house));
        sites.chain([(HUB_USER, &self.hub)]).chain(house)
    }
}

/// Random text that nobody can guess.
pub(super) fn random() -> String {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    hex::encode(bytes)
}

/// The secret in `path`, made where there is none.
fn secret(path: PathBuf) -> Result<Secret, HubError> {
    let failed = |error| HubError::file(&path, error);
    match fs::read_to_string(&path) {
        Ok(text) if !text.trim().is_empty() => return Ok(Secret::new(text.trim())),
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    let made = random();
    write_private(&path, format!("{made}\n").as_bytes())?;
    Ok(Secret::new(made))
}

/// Writes a file that only this user can read, whole or not at all.
pub(super) fn write_private(path: &Path, content: &[u8]) -> Result<(), HubError> {
    durable::write(path, content).map_err(|error| HubError::file(path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_made_once_and_for_nobody_else_to_read() {
        let dir = tempfile::tempdir().unwrap();
        let sites = || ["home".parse().unwrap(), "annex".parse().unwrap()];
        let first = Keys::load(dir.path(), sites(), true).unwrap();
        let again = Keys::load(dir.path(), sites(), false).unwrap();
        assert!(again.house().is_none() && Keys::has_house(dir.path()));
        let of = |keys: &Keys, site| keys.site(site).unwrap().expose().to_owned();
        assert_eq!(of(&first, "home"), of(&again, "home"));
        assert_ne!(of(&first, "home"), of(&first, "annex"));
        assert_ne!(first.hub().expose(), first.house().unwrap().expose());
        assert!(first.site("garage").is_none());
        let mode = fs::metadata(dir.path().join("site-home"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o077, 0);
    }
}
