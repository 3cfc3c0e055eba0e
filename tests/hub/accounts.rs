//! `lares hub account`, and what `lares check` says of a hub.

use std::{io::Write, process::Stdio};

use serde_json::Value;

use crate::{
    rig::{Hub, STOPS},
    support::{get, lares},
};

#[test]
fn accounts_are_made_on_the_command_line_and_the_page_asks_for_them() {
    let hub = Hub::new();
    let account = |arguments: &[&str], typed: &str| -> (bool, String) {
        let mut child = lares()
            .args(["hub", "--config"])
            .arg(hub.config())
            .arg("account")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that reads nothing may have ended already.
        let _ = writeln!(child.stdin.take().unwrap(), "{typed}");
        let done = child.wait_with_output().unwrap();
        let said = [done.stdout, done.stderr].concat();
        (done.status.success(), String::from_utf8(said).unwrap())
    };
    let (added, said) = account(&["add", "anna"], "short");
    assert!(!added && said.contains("10 to 256 characters"), "{said}");
    let (added, said) = account(&["add", "ben", "--viewer"], "correct horse battery");
    assert!(!added && said.contains("must be an owner"), "{said}");
    assert!(account(&["add", "anna"], "correct horse battery").0);
    assert!(account(&["add", "ben", "--viewer"], "correct horse battery").0);
    let (_, listed) = account(&["ls"], "");
    assert!(
        listed.contains("anna") && listed.contains("viewer"),
        "{listed}"
    );
    let (removed, said) = account(&["rm", "anna"], "");
    assert!(!removed && said.contains("last owner"), "{said}");

    assert!(hub.check().contains("can open at"), "{}", hub.check());
    let other = std::net::TcpListener::bind(("127.0.0.1", hub.store)).unwrap();
    let said = hub.check();
    assert!(said.contains("the hub cannot listen on") && said.contains("store_listen"));
    drop(other);

    let mut running = hub.start();
    assert!(hub.check().contains("is open at"), "{}", hub.check());
    let session = hub.json("/api/session");
    assert_eq!(
        (&session["state"], &session["account"]),
        (&"login".into(), &Value::Null)
    );
    let (status, _) = get(hub.page, "/api/house");
    assert_eq!(status, 401);
    running.terminate(STOPS);
}
