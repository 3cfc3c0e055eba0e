//! A small disk of its own, in memory, that can be filled: needs root.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use super::partner;

/// The disk, gone with its guard.
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts a disk of `megabytes` at `folder`, which is made where it is missing. None where this user may not mount.
    ///
    /// # Panics
    /// When the folder cannot be made, or where everything must be there ([`partner`]).
    #[must_use]
    pub fn mount(folder: &Path, megabytes: u32) -> Option<Self> {
        fs::create_dir_all(folder).expect("a folder for the disk");
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", &format!("size={megabytes}m")]);
        command.arg("lares-test").arg(folder);
        // Not in every container.
        let mounted = command.output().is_ok_and(|output| output.status.success());
        partner::or_skip(
            mounted.then(|| Self(folder.to_owned())),
            "this user may not mount a small disk, run the tests as root",
        )
    }

    /// Mounts it again with other options of mount(8): `size=1g`, `ro`.
    ///
    /// # Panics
    /// When that is refused.
    pub fn remount(&self, options: &str) {
        let mut command = Command::new("mount");
        command.args(["-o", &format!("remount,{options}")]);
        let done = command.arg(&self.0).status();
        assert!(done.is_ok_and(|status| status.success()), "{options}");
    }

    /// Writes until not one more byte fits. Returns the file that has it all.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn fill(&self) -> PathBuf {
        let path = self.0.join("filler");
        let mut file = File::create(&path).expect("a file that fills the disk");
        for piece in [1 << 20, 4096, 1] {
            while file.write_all(&vec![0; piece]).is_ok() {}
        }
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily, as a program may still be ending on it.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
