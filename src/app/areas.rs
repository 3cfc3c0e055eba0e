//! Zones and masks that the household draws: into the configuration's file, and to the camera at once.
//!
//! In: areas of one camera, and who drew them. Out: a new file with the old one beside it, a record in the ledger, and the
//! camera started again. What the program would not start with is not written.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::Mutex;

use super::{
    backup,
    cameras::{Cameras, Restart},
};
use crate::{
    config::{Areas, Config, Environment, areas_version},
    flow::CameraId,
    hub::{AreasDesk, AreasRefusal, Drawn},
    outbox::Outbox,
};

/// Changes areas of this box's cameras.
pub(super) struct Desk {
    /// The configuration's file; none: it came from the command line.
    pub(super) file: Option<PathBuf>,
    pub(super) environment: Environment,
    pub(super) cameras: Arc<Cameras>,
    pub(super) outbox: Arc<Outbox>,
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
        backup::replace(file, &old, &new)
            .map_err(|error| conflict(format!("cannot write {}: {error}", file.display())))?;
        let noted = self.outbox.note_config(&config.keys(), Some(account));
        if let Err(error) = noted {
            tracing::error!(%error, "the ledger could not be told of the new configuration");
        }
        tracing::info!(%camera, account, "areas drawn; the camera is watched with them from now on");
        if let Some(new) = config.cameras.into_iter().find(|new| new.id == *camera) {
            self.cameras
                .restart(camera, Some(new), Restart::Changed)
                .map_err(|error| {
                    conflict(format!("the camera could not be started again: {error:#}"))
                })?;
        }
        self.read(camera)
    }
}
