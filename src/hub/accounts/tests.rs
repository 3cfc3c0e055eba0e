use super::*;

const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
const GOOD: &str = "correct horse battery";

fn accounts() -> (tempfile::TempDir, Accounts) {
    let dir = tempfile::tempdir().unwrap();
    let accounts = Accounts::open(dir.path()).unwrap();
    (dir, accounts)
}

#[test]
fn who_knows_the_password_gets_a_session_that_ends() {
    let (dir, accounts) = accounts();
    assert!(accounts.none().unwrap());
    accounts.add("anna", GOOD, Role::Owner).unwrap().unwrap();
    let now = WallTime(1_000);
    let wrong = accounts
        .log_in(HERE, "anna", "incorrect horse", now)
        .unwrap();
    assert_eq!(wrong, Err(Refusal::Wrong));
    let nobody = accounts.log_in(HERE, "ben", GOOD, now).unwrap();
    assert_eq!(nobody, Err(Refusal::Wrong));
    let (token, session) = accounts.log_in(HERE, "anna", GOOD, now).unwrap().unwrap();
    // After a restart too.
    let accounts = Accounts::open(dir.path()).unwrap();
    assert_eq!(accounts.session(&token, now).unwrap(), Some(session));
    assert_eq!(accounts.session("other", now).unwrap(), None);
    let late = WallTime(now.0 + SESSION_KEPT);
    assert_eq!(accounts.session(&token, late).unwrap(), None);
    accounts.log_out(&token).unwrap();
    assert_eq!(accounts.session(&token, now).unwrap(), None);
    // Neither password nor token lies in the database.
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        for secret in [GOOD, token.as_str()] {
            let found = bytes.windows(secret.len()).any(|w| w == secret.as_bytes());
            assert!(!found);
        }
    }
}

#[test]
fn who_guesses_has_to_wait_and_others_need_not() {
    let (_dir, accounts) = accounts();
    accounts.add("anna", GOOD, Role::Viewer).unwrap().unwrap();
    let now = WallTime(0);
    for _ in 0..ATTEMPTS {
        let refused = accounts.log_in(HERE, "anna", "x", now).unwrap();
        assert_eq!(refused, Err(Refusal::Wrong));
    }
    let refused = accounts.log_in(HERE, "anna", GOOD, now).unwrap();
    assert!(matches!(refused, Err(Refusal::SlowDown(_))));
    let elsewhere: IpAddr = "10.0.0.7".parse().unwrap();
    assert!(
        accounts
            .log_in(elsewhere, "anna", GOOD, now)
            .unwrap()
            .is_ok()
    );
}

#[test]
fn accounts_that_cannot_be() {
    let (_dir, accounts) = accounts();
    for (name, password) in [
        ("", GOOD),
        ("anna b", GOOD),
        ("anna", "short"),
        ("annaannaanna", "AnnaAnnaAnna"),
        (&"a".repeat(65), GOOD),
        ("anna", &"x".repeat(257)),
    ] {
        let refused = accounts.add(name, password, Role::Owner).unwrap();
        assert!(matches!(refused, Err(Refusal::Impossible(_))), "{name}");
    }
    accounts.add("anna", GOOD, Role::Owner).unwrap().unwrap();
    let twice = accounts.add("anna", GOOD, Role::Owner).unwrap();
    assert!(matches!(twice, Err(Refusal::Conflict(_))));
    let last = accounts.remove("anna").unwrap();
    assert!(matches!(last, Err(Refusal::Conflict(_))), "the last owner");
    accounts.add("ben", GOOD, Role::Owner).unwrap().unwrap();
    accounts.remove("anna").unwrap().unwrap();
    assert_eq!(accounts.all().unwrap().len(), 1);
}
