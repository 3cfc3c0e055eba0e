//! The hub's folder: with an unusual name, not named from the root, wanted by two.

use std::{
    fs,
    os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt},
    path::Path,
    process::Command,
    time::Duration,
};

use crate::{
    rig::{Hub, STOPS},
    support::{free_port, lares, process::Process, wait_for},
};

/// Nobody else may read this folder, or what lies in it.
fn private(path: &Path) {
    let metadata = fs::symlink_metadata(path).unwrap();
    // mosquitto makes its socket with the mode that it likes, in a folder that nobody else may enter.
    if metadata.file_type().is_socket() {
        return;
    }
    let mode = metadata.permissions().mode();
    assert_eq!(mode & 0o077, 0, "{}: {mode:o}", path.display());
    if metadata.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            private(&entry.unwrap().path());
        }
    }
}

#[test]
fn every_part_works_in_a_folder_that_is_named_from_where_one_stands() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("Anna's hub #1, überall");
    fs::create_dir(&folder).unwrap();
    let text = format!(
        "version = 2\ndata_dir = \"./my data\"\n[hub]\nenabled = true\nsites = [\"alder\"]\nlisten = \"127.0.0.1:{}\"\n\
         broker_listen = \"127.0.0.1:{}\"\nstore_listen = \"127.0.0.1:{}\"\n",
        free_port(),
        free_port(),
        free_port()
    );
    fs::write(folder.join("hub.toml"), text).unwrap();
    // Started by hand, in a shell whose user lets everybody read everything.
    let mut command = Command::new("sh");
    command.args(["-c", "umask 0 && exec \"$@\"", "sh"]);
    command
        .arg(lares().get_program())
        .args(["hub", "--config", "hub.toml"])
        .current_dir(&folder);
    let mut hub = Process::start(&mut command, &home.path().join("hub.log"));
    wait_for("its broker", Duration::from_secs(20), || {
        hub.assert_running();
        hub.log()
            .contains("the hub listens to its broker")
            .then_some(())
    });
    private(&folder.join("my data"));
    hub.terminate(STOPS);
    let broker = folder.join("my data/hub/broker");
    assert!(broker.join("sessions.db").exists(), "what it keeps is kept");
    assert!(!hub.log().contains("mosquitto:"), "{}", hub.log());
}

#[test]
fn a_second_hub_in_the_same_folder_says_so_and_leaves_the_first_alone() {
    let hub = Hub::new();
    let mut first = hub.start();
    wait_for("its broker", Duration::from_secs(20), || {
        first
            .log()
            .contains("the hub listens to its broker")
            .then_some(())
    });
    let socket = || {
        fs::metadata(hub.files().join("broker/socket"))
            .unwrap()
            .ino()
    };
    let before = socket();
    // With ports of its own, so that nothing else stops it.
    let text = fs::read_to_string(hub.config()).unwrap();
    let ports = [hub.page, hub.broker, hub.store];
    let other = ports.iter().fold(text, |text, port| {
        text.replace(&port.to_string(), &free_port().to_string())
    });
    let config = hub.config().with_file_name("other.toml");
    fs::write(&config, other).unwrap();
    let second = lares()
        .args(["hub", "--config"])
        .arg(&config)
        .output()
        .unwrap();
    assert!(!second.status.success());
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(said.contains("in use by another Lares"), "{said}");
    assert_eq!(socket(), before, "the first one's broker is left alone");
    first.terminate(STOPS);
    // It is free at once for the next.
    hub.start().terminate(STOPS);
}
