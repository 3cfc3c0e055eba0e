//! Zones and masks that the household draws: into the configuration's file, and to the camera at once.
//!
//! In: areas of one camera, and who drew them. Out: a new file with the old one beside it, a record in the ledger, and the
//! camera watched anew. What the program would not start with is not written.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use parking_lot::Mutex;

use crate::{
    base::tasks::Tasks,
    camera::{Camera, Shared},
    config::{Areas, Config, Environment, areas_version},
    flow::CameraId,
    hub::{AreasDesk, AreasRefusal, Drawn},
};

/// How long a camera may take to end, so that it can begin anew.
const GRACE: Duration = Duration::from_secs(10);

/// Changes areas of this box's cameras.
pub(super) struct Desk {
    /// The configuration's file; none: it came from the command line.
    pub(super) file: Option<PathBuf>,
    pub(super) environment: Environment,
    pub(super) cameras: Arc<Mutex<BTreeMap<CameraId, Camera>>>,
    pub(super) shared: Shared,
    pub(super) lanes: Tasks,
    /// One change at a time.
    pub(super) busy: Mutex<()>,
}

impl Desk {
    fn file(&self) -> Result<(&Path, String), AreasRefusal> {
        let file = self.file.as_deref().ok_or_else(|| {
            AreasRefusal::Conflict(
                "this box was started without a configuration file: give it one to draw areas"
                    .to_owned(),
            )
        })?;
        let text = fs::read_to_string(file)
            .map_err(|error| conflict(format!("cannot read {}: {error}", file.display())))?;
        Ok((file, text))
    }

    /// Writes the file, whole or not at all, with the one before beside it.
    fn replace(&self, file: &Path, old: &str, new: &str) -> std::io::Result<()> {
        let stamp = Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
        let mut name = file.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{stamp}"));
        fs::write(file.with_file_name(name), old)?;
        let folder = file
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let mut fresh = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
        std::io::Write::write_all(&mut fresh, new.as_bytes())?;
        fresh
            .as_file()
            .set_permissions(fs::metadata(file)?.permissions())?;
        fresh.as_file().sync_all()?;
        fresh.persist(file)?;
        Ok(())
    }

    fn begin_anew(&self, config: &Config, camera: &CameraId) -> anyhow::Result<()> {
        let Some(new) = config.cameras.iter().find(|new| new.id == *camera) else {
            return Ok(());
        };
        let mut cameras = self.cameras.lock();
        let Some(running) = cameras.get(camera) else {
            return Ok(());
        };
        let stubborn = running.stop(GRACE);
        if !stubborn.is_empty() {
            tracing::warn!(%camera, parts = stubborn.join(", "), "stopped before these had ended");
        }
        let mode = self.shared.outbox.mode(camera)?.unwrap_or(new.mode);
        let started = Camera::start(new.clone(), mode, &self.shared, &self.lanes)?;
        cameras.insert(camera.clone(), started);
        Ok(())
    }
}

fn conflict(reason: String) -> AreasRefusal {
    AreasRefusal::Conflict(reason)
}

impl AreasDesk for Desk {
    fn read(&self, camera: &CameraId) -> Result<Drawn, AreasRefusal> {
        let (_, text) = self.file()?;
        let areas = Areas::read(&text, camera).map_err(|error| conflict(error.to_string()))?;
        Ok(Drawn {
            version: areas_version(&text),
            areas,
        })
    }

    fn write(
        &self,
        camera: &CameraId,
        drawn: &Drawn,
        account: &str,
    ) -> Result<Drawn, AreasRefusal> {
        let _one = self.busy.lock();
        let (file, old) = self.file()?;
        if areas_version(&old) != drawn.version {
            return Err(conflict(
                "the configuration has changed since the areas were read: load the page again"
                    .to_owned(),
            ));
        }
        let new = drawn
            .areas
            .put_into(&old, camera)
            .map_err(|error| AreasRefusal::Impossible(error.to_string()))?;
        let folder = file.parent().unwrap_or(Path::new(""));
        let config = Config::parse(&new, folder, &self.environment).map_err(|problems| {
            let all: Vec<_> = problems.iter().map(ToString::to_string).collect();
            AreasRefusal::Impossible(all.join("; "))
        })?;
        self.replace(file, &old, &new)
            .map_err(|error| conflict(format!("cannot write {}: {error}", file.display())))?;
        let noted = self
            .shared
            .outbox
            .note_config(&config.keys(), Some(account));
        if let Err(error) = noted {
            tracing::error!(%error, "the ledger could not be told of the new configuration");
        }
        tracing::info!(%camera, account, "areas drawn; the camera is watched with them from now on");
        self.begin_anew(&config, camera)
            .map_err(|error| conflict(format!("the camera could not begin anew: {error:#}")))?;
        self.read(camera)
    }
}
