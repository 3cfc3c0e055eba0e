//! A new configuration in the place of the old one, which is kept beside it.
//!
//! Files are whole or not there. The old one may hold passwords in addresses: nobody else can read its copy. The last
//! few copies are kept.

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

use jiff::Timestamp;

use crate::base::durable;

/// Copies that are kept.
const KEPT: usize = 5;
/// A time in a copy's name.
const STAMP: &str = "%Y%m%dT%H%M%SZ";

/// Writes `new` to `file`, whole or not at all, with `old`, what was there before, beside it. Returns the copy's path.
///
/// # Errors
/// When the system refuses; `file` is as it was then.
pub fn replace(file: &Path, old: &str, new: &str) -> io::Result<PathBuf> {
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let stamp = Timestamp::now().strftime(STAMP).to_string();
    let copy = folder.join(name_of_copy(file, &stamp));
    durable::write(&copy, old.as_bytes())?;
    durable::replace(file, new.as_bytes())?;
    for copy in copies(folder, file)?.iter().rev().skip(KEPT) {
        fs::remove_file(copy)?;
    }
    Ok(copy)
}

fn name_of_copy(file: &Path, stamp: &str) -> OsString {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(stamp);
    name
}

/// Copies of `file` in `folder`, oldest first. What has another name is somebody else's.
fn copies(folder: &Path, file: &Path) -> io::Result<Vec<PathBuf>> {
    let name = name_of_copy(file, "");
    let mut found: Vec<PathBuf> = fs::read_dir(folder)?
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let stamp = path.file_name()?.to_str()?.strip_prefix(name.to_str()?)?;
            jiff::civil::DateTime::strptime(STAMP, stamp).ok()?;
            Some(path)
        })
        .collect();
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::{fs::Permissions, os::unix::fs::PermissionsExt};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn the_old_one_is_kept_from_others_and_the_new_one_is_as_open_as_before() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("lares.toml");
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
        replace(&file, "old", "new").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert_eq!(mode(&file), 0o640);
        let copies = copies(dir.path(), &file).unwrap();
        assert_eq!(copies.len(), 1);
        assert_eq!(fs::read_to_string(&copies[0]).unwrap(), "old");
        assert_eq!(mode(&copies[0]), 0o600);
    }

    #[test]
    fn the_last_five_are_kept_and_other_files_are_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("lares.toml");
        fs::write(&file, "now").unwrap();
        for day in 1..=8 {
            let copy = name_of_copy(&file, &format!("2026010{day}T000000Z"));
            fs::write(dir.path().join(copy), "then").unwrap();
        }
        for other in [
            "lares.toml.orig",
            "lares.toml.2026",
            "other.toml.20260101T000000Z",
        ] {
            fs::write(dir.path().join(other), "mine").unwrap();
        }
        replace(&file, "now", "next").unwrap();
        let kept = copies(dir.path(), &file).unwrap();
        assert_eq!(kept.len(), KEPT);
        assert!(kept[0].ends_with("lares.toml.20260105T000000Z"), "{kept:?}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), KEPT + 1 + 3);
    }
}
