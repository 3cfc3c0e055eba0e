use std::{
    net::{IpAddr, Ipv4Addr},
    os::unix::fs::PermissionsExt,
};

use tokio::runtime::Handle;

use super::{database::SESSIONS_KEPT, *};
use crate::base::clock::SimClock;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const GOOD: &str = "correct horse battery";
const NOW: WallTime = WallTime(1_790_000_000_000);

struct Rig {
    dir: tempfile::TempDir,
    clock: Arc<SimClock>,
    tasks: Tasks,
    accounts: Accounts,
}

impl Rig {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = SimClock::new(NOW);
        clock.set_wall(NOW, ClockState::Good);
        let tasks = Tasks::new(Handle::current(), CancellationToken::new());
        let accounts = Accounts::open(dir.path(), false, clock.clone(), &tasks).unwrap();
        Self {
            dir,
            clock,
            tasks,
            accounts,
        }
    }

    /// Ends the program and starts it again.
    fn again(self) -> Self {
        assert!(self.tasks.close(Duration::from_secs(5)).is_empty());
        let tasks = Tasks::new(Handle::current(), CancellationToken::new());
        let accounts = Accounts::open(self.dir.path(), false, self.clock.clone(), &tasks).unwrap();
        Self {
            accounts,
            tasks,
            ..self
        }
    }

    async fn owner(&self, name: &str) {
        let added = self.accounts.add(name, GOOD, Role::Owner).await;
        added.unwrap().unwrap();
    }

    async fn try_as(
        &self,
        from: IpAddr,
        device: Option<&str>,
        name: &str,
        password: &str,
        code: &str,
    ) -> Result<Opened, Refusal> {
        let given = Credentials {
            name: name.to_owned(),
            password: password.to_owned(),
            code: (!code.is_empty()).then(|| code.to_owned()),
        };
        self.accounts.log_in(from, device, &given).await.unwrap()
    }

    async fn log_in(&self, name: &str, password: &str) -> Result<Opened, Refusal> {
        self.try_as(HERE, None, name, password, "").await
    }

    async fn acts(&self) -> Vec<String> {
        let log = self.accounts.log(1000).await.unwrap();
        log.into_iter().map(|entry| entry.what).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_knows_the_password_gets_a_session_that_ends() {
    let rig = Rig::new();
    assert!(rig.accounts.none());
    rig.owner("anna").await;
    assert_eq!(
        rig.log_in("anna", "incorrect horse").await.unwrap_err(),
        Refusal::Wrong
    );
    assert_eq!(rig.log_in("ben", GOOD).await.unwrap_err(), Refusal::Wrong);
    let opened = rig.log_in("anna", GOOD).await.unwrap();
    // After a restart too.
    let rig = rig.again();
    let session = rig.accounts.session(&opened.token).unwrap();
    assert_eq!(session.csrf, opened.session.csrf);
    assert!(rig.accounts.session("other").is_none());
    rig.accounts.log_out(&opened.session);
    assert!(rig.accounts.session(&opened.token).is_none() && opened.session.over.is_cancelled());
    let rig = rig.again();
    assert!(rig.accounts.session(&opened.token).is_none());
    // Neither password nor token lies in the database, and nobody else can read it.
    for entry in std::fs::read_dir(rig.dir.path()).unwrap() {
        let path = entry.unwrap().path();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}", path.display());
        let bytes = std::fs::read(path).unwrap();
        for secret in [GOOD, &opened.token, &opened.device] {
            assert!(!bytes.windows(secret.len()).any(|w| w == secret.as_bytes()));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_for_its_age_and_not_because_a_clock_steps() {
    let rig = Rig::new();
    rig.owner("anna").await;
    let opened = rig.log_in("anna", GOOD).await.unwrap();
    let is_in = |rig: &Rig| rig.accounts.session(&opened.token).is_some();
    // Weeks ahead and back, known to be unsure or taken for right.
    let late = WallTime(NOW.0 + COOKIE_KEPT * 1000 + 1);
    for wall in [late, NOW, WallTime(0), NOW] {
        for state in [ClockState::Unsure, ClockState::Good] {
            rig.clock.set_wall(wall, state);
            assert!(is_in(&rig), "{wall:?} {state:?}");
        }
    }
    assert!(!opened.session.over.is_cancelled());

    // A program that starts with such a clock cannot know: it refuses what looks over, and forgets nothing.
    rig.clock.set_wall(late, ClockState::Good);
    let rig = rig.again();
    assert!(!is_in(&rig));
    rig.clock.set_wall(late, ClockState::Unsure);
    assert!(is_in(&rig));
    let rig = rig.again();
    rig.clock.set_wall(NOW, ClockState::Good);
    assert!(is_in(&rig));

    // Its time goes by.
    rig.clock
        .advance_to(rig.clock.now() + Duration::from_secs(COOKIE_KEPT.unsigned_abs()));
    assert!(!is_in(&rig));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_has_so_many_sessions_and_the_one_used_longest_ago_goes() {
    let rig = Rig::new();
    rig.owner("anna").await;
    let first = rig.log_in("anna", GOOD).await.unwrap();
    let mut newest = None;
    for _ in 0..SESSIONS_KEPT {
        rig.clock
            .advance_to(rig.clock.now() + Duration::from_secs(1));
        newest = rig.log_in("anna", GOOD).await.ok();
    }
    let newest = newest.unwrap();
    // In the database too.
    let rig = rig.again();
    assert!(rig.accounts.session(&first.token).is_none());
    assert!(rig.accounts.session(&newest.token).is_some());
    assert!(first.session.over.is_cancelled());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_ends_the_other_sessions() {
    let rig = Rig::new();
    rig.owner("anna").await;
    let (here, there) = (
        rig.log_in("anna", GOOD).await.unwrap(),
        rig.log_in("anna", GOOD).await.unwrap(),
    );
    let change = async |old: &str, new: &str| {
        let device = Some(here.device.as_str());
        rig.accounts
            .change_password(&here.session, device, old, new)
            .await
            .unwrap()
    };
    assert_eq!(
        change("wrong", "another horse battery").await,
        Err(Refusal::Wrong)
    );
    assert!(matches!(
        change(GOOD, "short").await,
        Err(Refusal::Impossible(_))
    ));
    change(GOOD, "another horse battery").await.unwrap();
    assert!(rig.accounts.session(&here.token).is_some());
    assert!(rig.accounts.session(&there.token).is_none() && there.session.over.is_cancelled());
    assert!(!here.session.over.is_cancelled());
    assert_eq!(rig.log_in("anna", GOOD).await.unwrap_err(), Refusal::Wrong);
    rig.log_in("anna", "another horse battery").await.unwrap();
    let rig = rig.again();
    assert!(rig.accounts.session(&here.token).is_some());
    assert!(rig.accounts.session(&there.token).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_ends_sessions_of_a_hub_that_runs() {
    let rig = Rig::new();
    rig.owner("anna").await;
    rig.owner("ben").await;
    let (anna, ben) = (
        rig.log_in("anna", GOOD).await.unwrap(),
        rig.log_in("ben", GOOD).await.unwrap(),
    );
    let book = AccountBook::open(rig.dir.path()).unwrap();
    assert!(book.reset("nobody", "another horse battery").is_err());
    book.reset("anna", "another horse battery").unwrap();
    let over = tokio::time::timeout(Duration::from_secs(5), anna.session.over.cancelled());
    over.await.expect("the session ends");
    assert!(rig.accounts.session(&anna.token).is_none());
    assert!(rig.accounts.session(&ben.token).is_some() && !ben.session.over.is_cancelled());
    rig.log_in("anna", "another horse battery").await.unwrap();
    book.remove("ben").unwrap();
    let over = tokio::time::timeout(Duration::from_secs(5), ben.session.over.cancelled());
    over.await.expect("the session ends");
    assert_eq!(rig.accounts.all().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_shut_out_neither_the_owner_nor_fill_the_record() {
    let rig = Rig::new();
    rig.owner("anna").await;
    let browser = rig.log_in("anna", GOOD).await.unwrap().device;
    let mut slowed = 0;
    for n in 0..30 {
        let from = IpAddr::from([10, 0, 0, n % 2]);
        let refusal = rig
            .try_as(from, None, "anna", "guess guess", "")
            .await
            .unwrap_err();
        slowed += u32::from(matches!(refusal, Refusal::SlowDown(_)));
    }
    assert!(slowed >= 18, "{slowed}");
    // Even from the address of the guesses, such as a proxy's: the browser is known.
    let from = IpAddr::from([10, 0, 0, 1]);
    let refused = rig.try_as(from, None, "anna", GOOD, "").await.unwrap_err();
    assert!(matches!(refused, Refusal::SlowDown(_)));
    rig.try_as(from, Some(&browser), "anna", GOOD, "")
        .await
        .unwrap();
    // It is known for its own account alone.
    rig.owner("ben").await;
    let refused = rig
        .try_as(from, Some(&browser), "ben", "guess guess", "")
        .await;
    assert!(refused.is_err());
    assert_eq!(rig.acts().await, ["login", "login"]);
    // One row for all of it, and it names what was tried.
    let rig = rig.again();
    let log = rig.accounts.log(1000).await.unwrap();
    let failed: Vec<_> = log
        .iter()
        .filter(|entry| entry.what == "login-failed")
        .collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].detail, "32 from 2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_factor_is_asked_for_and_counts_once() {
    let rig = Rig::new();
    rig.owner("anna").await;
    let session = rig.log_in("anna", GOOD).await.unwrap().session;
    let offered = rig.accounts.offer_second(&session, "wrong").await.unwrap();
    assert_eq!(offered.unwrap_err(), Refusal::Wrong);
    let offer = rig
        .accounts
        .offer_second(&session, GOOD)
        .await
        .unwrap()
        .unwrap();
    let secret = serde_json::to_value(&offer).unwrap()["secret"]
        .as_str()
        .unwrap()
        .to_owned();
    let confirm = async |code: &str| rig.accounts.confirm_second(&session, code).await.unwrap();
    assert_eq!(
        confirm("000000").await.unwrap_err(),
        Refusal::Second { wrong: true }
    );
    // It does not count before it is confirmed.
    rig.log_in("anna", GOOD).await.unwrap();
    let codes = confirm(&Second::code(&secret, NOW)).await.unwrap();
    assert_eq!(codes.len(), 10);

    let with = async |code: &str| rig.try_as(HERE, None, "anna", GOOD, code).await;
    assert_eq!(
        with("").await.unwrap_err(),
        Refusal::Second { wrong: false }
    );
    let used = Second::code(&secret, NOW);
    assert_eq!(
        with(&used).await.unwrap_err(),
        Refusal::Second { wrong: true }
    );
    let later = WallTime(NOW.0 + 60_000);
    rig.clock.set_wall(later, ClockState::Good);
    let fresh = Second::code(&secret, later);
    assert!(with(&fresh).await.unwrap().session.second);
    assert_eq!(
        with(&fresh).await.unwrap_err(),
        Refusal::Second { wrong: true }
    );
    // Without a clock a recovery code serves, once.
    rig.clock.set_wall(WallTime(1000), ClockState::Unsure);
    assert_eq!(with(&fresh).await.unwrap_err(), Refusal::ClockUnsure);
    with(&codes[3].to_lowercase()).await.unwrap();
    assert_eq!(
        with(&codes[3]).await.unwrap_err(),
        Refusal::Second { wrong: true }
    );
    assert!(rig.acts().await.contains(&"recovery".to_owned()));
    // It survives a restart, and the box itself can take it away.
    let rig = rig.again();
    let refused = rig.try_as(HERE, None, "anna", GOOD, "").await.unwrap_err();
    assert_eq!(refused, Refusal::Second { wrong: false });
    let rig = {
        let book = AccountBook::open(rig.dir.path()).unwrap();
        book.reset("anna", GOOD).unwrap();
        rig.again()
    };
    rig.log_in("anna", GOOD).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_owner_needs_the_set_up_code() {
    let rig = Rig::new();
    let code = rig.accounts.0.set_up.lock().clone().unwrap();
    let set_up = async |rig: &Rig, code: &str| {
        let given = Credentials {
            name: "anna".to_owned(),
            password: GOOD.to_owned(),
            code: Some(code.to_owned()),
        };
        rig.accounts.set_up(HERE, &given).await.unwrap()
    };
    for _ in 0..5 {
        assert_eq!(
            set_up(&rig, "AAAA-AAAA").await.unwrap_err(),
            Refusal::SetUpCode
        );
    }
    // Nobody can try all of them.
    assert!(matches!(
        set_up(&rig, &code).await.unwrap_err(),
        Refusal::SlowDown(_)
    ));
    let rig = rig.again();
    let next = rig.accounts.0.set_up.lock().clone().unwrap();
    assert_ne!(code, next);
    set_up(&rig, &next.to_lowercase()).await.unwrap();
    assert!(matches!(
        set_up(&rig, &next).await.unwrap_err(),
        Refusal::Conflict(_)
    ));
    let rig = rig.again();
    assert!(rig.accounts.0.set_up.lock().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_that_cannot_be() {
    let rig = Rig::new();
    let add = async |name: &str, password: &str, role| {
        rig.accounts.add(name, password, role).await.unwrap()
    };
    for (name, password) in [
        ("", GOOD),
        ("anna b", GOOD),
        ("anna", "short"),
        ("annaannaanna", "AnnaAnnaAnna"),
        (&"a".repeat(65), GOOD),
        ("anna", &"x".repeat(257)),
    ] {
        let refused = add(name, password, Role::Owner).await;
        assert!(matches!(refused, Err(Refusal::Impossible(_))), "{name}");
    }
    assert!(
        matches!(
            add("anna", GOOD, Role::Viewer).await,
            Err(Refusal::Conflict(_))
        ),
        "the first"
    );
    add("anna", GOOD, Role::Owner).await.unwrap();
    assert!(matches!(
        add("anna", GOOD, Role::Owner).await,
        Err(Refusal::Conflict(_))
    ));
    let last = rig.accounts.remove("anna").await.unwrap();
    assert!(matches!(last, Err(Refusal::Conflict(_))), "the last owner");
    rig.owner("ben").await;
    rig.accounts.remove("anna").await.unwrap().unwrap();
    assert_eq!(rig.accounts.all().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_of_the_first_version_are_taken_over() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(database::FILE);
    let old = rusqlite::Connection::open(&path).unwrap();
    let hash = hashing::hash(GOOD).unwrap();
    old.execute_batch(&format!(
        "{} PRAGMA user_version = 1; INSERT INTO accounts VALUES ('anna', 'owner', '{hash}');",
        database::FIRST
    ))
    .unwrap();
    drop(old);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let rig = Rig::new();
    let rig = Rig { dir, ..rig }.again();
    rig.log_in("anna", GOOD).await.unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0);
}
