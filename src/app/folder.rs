//! The data folder, and the site's id in it.

use std::{fs, io, path::Path};

use anyhow::Context;

use crate::{base::durable, config::Config, flow::SiteId};

/// Makes the data folder, and tries whether it can be written to.
pub(super) fn prepare(dir: &Path) -> anyhow::Result<()> {
    let advice = || {
        format!(
            "cannot write to the data folder {}: make it writable for this user, or choose another with data_dir",
            dir.display()
        )
    };
    // Flushed: in a folder whose own name is lost with the power, nothing is safe.
    durable::make_dir(dir).with_context(advice)?;
    tempfile::tempfile_in(dir).with_context(advice)?;
    Ok(())
}

/// The configured site, or the one made at first start.
pub(crate) fn site_id(config: &Config) -> anyhow::Result<SiteId> {
    if let Some(site) = &config.site {
        return Ok(site.clone());
    }
    let path = config.data_dir.join("site");
    match fs::read_to_string(&path) {
        Ok(text) => text.trim().parse().with_context(|| {
            format!(
                "{} holds no site id: set site in the configuration",
                path.display()
            )
        }),
        // Topics, keys and ids of others hang on it: one that cannot be read is not replaced.
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).with_context(|| {
            format!(
                "cannot read the site id in {}: make the file readable, or set site in the configuration",
                path.display()
            )
        }),
        Err(_) => {
            let random = uuid::Uuid::now_v7().simple().to_string();
            let site: SiteId = format!("home-{}", &random[20..])
                .parse()
                .expect("a valid id");
            // Topics and keys hang on it: it must outlive a power cut.
            durable::write(&path, format!("{site}\n").as_bytes())
                .with_context(|| format!("cannot keep the site id in {}", path.display()))?;
            Ok(site)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Environment;

    #[test]
    fn a_site_id_is_made_once_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config::for_camera("rtsp://h/", &Environment::new()).unwrap();
        config.data_dir = dir.path().to_owned();
        let first = site_id(&config).unwrap();
        assert_eq!(site_id(&config).unwrap(), first);
        config.site = Some("given".parse().unwrap());
        assert_eq!(site_id(&config).unwrap().as_str(), "given");
    }

    #[test]
    fn a_site_id_that_cannot_be_read_is_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config::for_camera("rtsp://h/", &Environment::new()).unwrap();
        config.data_dir = dir.path().to_owned();
        // A folder in its place gives an error that is not "no such file", to root too.
        fs::create_dir(dir.path().join("site")).unwrap();
        let error = format!("{:#}", site_id(&config).unwrap_err());
        assert!(
            error.contains("site id") && error.contains("/site"),
            "{error}"
        );
        assert!(dir.path().join("site").is_dir());
    }

    #[test]
    fn a_data_folder_that_cannot_be_made_is_told() {
        let error = prepare(Path::new("/proc/lares")).unwrap_err().to_string();
        assert!(error.contains("data_dir"), "{error}");
    }
}
