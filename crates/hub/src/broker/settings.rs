//! What mosquitto is told: where it listens, how much it keeps, and who may read and write what.

use std::fmt::Write as _;

use super::{
    super::keys::{HOUSE_USER, HUB_USER, Keys},
    gate::{KNOWN, SOCKET, STRANGERS},
};

/// Largest message: a picture of full quality.
const LARGEST: u32 = 2_000_000;
/// Messages on their way to one receiver.
const IN_FLIGHT: u32 = 20;
/// Messages kept for a receiver that is away ...
const QUEUED: u32 = 20_000;
/// ... and their bytes.
const QUEUED_BYTES: u32 = 50_000_000;
/// Its memory of sessions and of what is retained.
const MEMORY: &str = "sessions.db";
/// Connections: as many as the gate lets in, and the one that asks whether it is there.
const CONNECTIONS: usize = STRANGERS + KNOWN + 1;

/// Who may read and write what. A site writes what boxes say and reads what is said to it: nothing that it sends itself
/// waits for it, so that its queues stay small.
pub(super) fn rights(keys: &Keys) -> String {
    let mut text = format!(
        "user {HUB_USER}\ntopic readwrite lares/#\ntopic readwrite homeassistant/device/#\n\n\
         user {HOUSE_USER}\ntopic read lares/#\ntopic write lares/+/+/mode/set\ntopic write lares/+/command\n\
         topic readwrite homeassistant/#\n"
    );
    for site in keys.sites() {
        let _ = write!(
            text,
            "\nuser {site}\ntopic readwrite lares/{site}/status\ntopic readwrite lares/{site}/health\n"
        );
        for what in ["status", "mode", "person", "motion", "snapshot", "incident"] {
            let _ = writeln!(text, "topic write lares/{site}/+/{what}");
        }
        let _ = write!(
            text,
            "topic read lares/{site}/command\ntopic read lares/{site}/+/mode/set\n\
             topic write homeassistant/device/{site}/+/config\ntopic read homeassistant/status\n"
        );
    }
    text
}

/// Its configuration. It runs in its own folder, and every name is relative to that: whatever the folder is called, and whether
/// or not ours was given from the root.
pub(super) fn configuration() -> String {
    // As root it would become the user mosquitto, who can read none of these files.
    let user = if rustix::process::geteuid().is_root() {
        "user root\n"
    } else {
        ""
    };
    format!(
        "# Written by Lares at each start.\n\
         listener 0 {SOCKET}\n\
         {user}allow_anonymous false\n\
         password_file passwords\n\
         acl_file rights\n\
         persistence true\n\
         persistence_location ./\n\
         persistence_file {MEMORY}\n\
         autosave_interval 30\n\
         persistent_client_expiration 14d\n\
         max_packet_size {LARGEST}\n\
         max_inflight_messages {IN_FLIGHT}\n\
         max_queued_messages {QUEUED}\n\
         max_queued_bytes {QUEUED_BYTES}\n\
         max_connections {CONNECTIONS}\n\
         log_dest stderr\n\
         log_timestamp false\n\
         log_type error\n\
         log_type warning\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_has_rights_below_its_own_topics_only() {
        let dir = tempfile::tempdir().unwrap();
        let sites: Vec<crate::flow::SiteId> = vec!["a".parse().unwrap(), "b".parse().unwrap()];
        let keys = Keys::load(dir.path(), sites, true).unwrap();
        let text = rights(&keys);
        let of_a = text.split("user a\n").nth(1).unwrap();
        let of_a = of_a.split("\nuser ").next().unwrap();
        insta::assert_snapshot!(of_a, @r"
        topic readwrite lares/a/status
        topic readwrite lares/a/health
        topic write lares/a/+/status
        topic write lares/a/+/mode
        topic write lares/a/+/person
        topic write lares/a/+/motion
        topic write lares/a/+/snapshot
        topic write lares/a/+/incident
        topic read lares/a/command
        topic read lares/a/+/mode/set
        topic write homeassistant/device/a/+/config
        topic read homeassistant/status
        ");
        let text = configuration();
        assert!(text.contains("allow_anonymous false"));
        let listeners = text.lines().filter(|line| line.starts_with("listener"));
        assert_eq!(
            listeners.collect::<Vec<_>>(),
            ["listener 0 socket"],
            "nobody reaches it but through the gate"
        );
    }
}
