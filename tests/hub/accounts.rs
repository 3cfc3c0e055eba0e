//! `lares hub account`, and what `lares check` says of a hub.

use serde_json::Value;

use crate::{
    rig::{Hub, STOPS},
    visitor::account,
};

#[test]
fn accounts_are_made_on_the_command_line_and_the_page_asks_for_them() {
    let hub = Hub::new();
    let account = |arguments: &[&str], typed: &str| account(&hub.config(), arguments, typed);
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
    let (status, _) = hub.get("/api/house");
    assert_eq!(status, 401);
    // Who is locked out gets in again on the box itself, while the hub runs.
    let (reset, said) = account(&["reset", "nobody"], "another horse battery");
    assert!(!reset && said.contains("no account nobody"), "{said}");
    let (reset, said) = account(&["reset", "anna"], "another horse battery");
    assert!(
        reset && said.contains("anna can log in with the new password"),
        "{said}"
    );
    running.terminate(STOPS);
}
