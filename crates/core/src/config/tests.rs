use std::path::Path;

use super::*;

fn parse(text: &str) -> Result<Config, Vec<String>> {
    let environment = Environment::from([("CAM_PASSWORD".to_owned(), "s3cret".to_owned())]);
    Config::parse(text, Path::new("/etc/lares"), &environment)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

#[test]
fn one_camera_url_is_enough() {
    let config = Config::for_camera("rtsp://10.0.0.2/live", &Environment::new()).unwrap();
    assert_eq!(config.cameras.len(), 1);
    assert_eq!(config.cameras[0].id.as_str(), "camera1");
    assert_eq!(config.cameras[0].clip, ClipConfig::default());
    assert!(config.mqtt.is_none() && config.upload.is_none());
}

#[test]
fn a_camera_may_be_kept_from_hardware() {
    let with = |decoder: &str| {
        parse(&format!(
            "version = 2\n[[cameras]]\nurl = \"rtsp://10.0.0.2/live\"\ndecoder = \"{decoder}\"\n"
        ))
    };
    assert_eq!(
        with("software").unwrap().cameras[0].decoder,
        DecoderChoice::Software
    );
    let problems = with("harware").unwrap_err();
    assert!(
        problems[0].contains("line 4") && problems[0].contains("software"),
        "{problems:?}"
    );
}

#[test]
fn all_problems_come_at_once_with_line_and_hint() {
    let problems = parse(
        "version = 2\n\
         siet = \"x\"\n\
         [[cameras]]\n\
         id = \"Front Door\"\n\
         url = \"http://10.0.0.2/\"\n\
         max_idle_intervall = \"2 s\"\n\
         [cameras.clip]\n\
         pre_roll = 5\n\
         [upload]\n\
         url = \"s3://user:pw@bucket/x\"\n\
         [web]\n\
         listen = \"0.0.0.0:80\"\n",
    )
    .unwrap_err();
    let expect = [
        ("line 2", "did you mean \"site\""),
        ("line 4", "1 to 32 of a-z"),
        ("line 5", "use rtsp://"),
        ("line 6", "did you mean \"max_idle_interval\""),
        ("line 8", "without its unit"),
        ("line 10", "holds a password"),
        ("line 12", "is not on loopback"),
    ];
    assert_eq!(problems.len(), expect.len(), "{problems:#?}");
    for (problem, (line, hint)) in problems.iter().zip(expect) {
        assert!(
            problem.starts_with(line) && problem.contains(hint),
            "{problem}"
        );
    }
    assert!(
        !problems.iter().any(|p| p.contains(":pw@")),
        "a password is shown"
    );
}

#[test]
fn a_wrong_address_hides_no_other_problem() {
    let problems = parse(
        "version = 2\n[[cameras]]\nurl = \"nonsense\"\nmax_idle_interval = 2\n[mqtt]\nurl = \"x\"\nkeep_alive = 1\n",
    )
    .unwrap_err();
    assert_eq!(problems.len(), 4, "{problems:#?}");
}

#[test]
fn a_login_that_tears_the_address_is_told_without_a_piece_of_it() {
    for torn in [
        "rtsp://viewer:Garden@Gate#24@127.0.0.1:28554/cam1",
        "rtsp://viewer:Garden/Gate@10.0.0.2/cam1",
        "rtsp://viewer:Garden?Gate@10.0.0.2/cam1",
        "rtsp://viewer:24/Garden@10.0.0.2/cam1",
        "rtsp://10.0.0.2/cam1#Garden",
    ] {
        let text = format!("version = 2\n[[cameras]]\nurl = \"{torn}\"\n");
        let problems = parse(&text).unwrap_err();
        assert_eq!(problems.len(), 1, "{torn}: {problems:?}");
        assert!(problems[0].contains("password_file"), "{problems:?}");
        for piece in ["Garden", "Gate", "24@", "viewer"] {
            assert!(!problems[0].contains(piece), "{torn}: {problems:?}");
        }
    }
    // Makers write odd paths, and hosts of a home have bare names.
    for sound in [
        "rtsp://10.0.0.2/user=admin&password=x&stream=@1",
        "rtsp://camera/live",
        "rtsp://viewer:Gar@den@camera/live",
        "rtsp://viewer:p%23s@camera/live@2",
    ] {
        let text = format!("version = 2\n[[cameras]]\nurl = \"{sound}\"\n");
        assert!(
            parse(&text).is_ok(),
            "{sound}: {:?}",
            parse(&text).unwrap_err()
        );
    }
}

#[test]
fn a_secret_in_the_file_is_sent_to_a_file_of_its_own() {
    let problems = parse(
        "version = 2\n[[cameras]]\nurl = \"rtsp://10.0.0.2/\"\npassword = \"hunter2\"\n\
         [ntfy]\nurl = \"https://ntfy.sh/house\"\ntoken = \"tk_hunter2\"\n",
    )
    .unwrap_err();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].starts_with("line 4") && problems[0].contains("write password_file"));
    assert!(problems[1].contains("write token_file"));
    assert!(!problems.iter().any(|problem| problem.contains("hunter2")));
}

#[test]
fn models_are_found_wherever_the_program_is_run() {
    // Tests lie in target/PROFILE/deps of the working tree, whatever the current folder.
    let dir = super::models_dir();
    assert!(dir.join("motion.toml").is_file(), "{}", dir.display());
}

#[test]
fn logins_leave_the_address() {
    let config = parse(
        "version = 2\n[[cameras]]\nurl = \"rtsp://ann:p%40ss+1@10.0.0.2/live\"\n\
         [[cameras]]\nurl = \"rtsp://10.0.0.3/\"\nuser = \"bob\"\npassword_env = \"CAM_PASSWORD\"\n",
    )
    .unwrap();
    let (first, second) = (&config.cameras[0].source, &config.cameras[1].source);
    assert_eq!(first.url.as_str(), "rtsp://10.0.0.2/live");
    assert_eq!(first.user.as_deref(), Some("ann"));
    assert_eq!(first.password.as_ref().map(Secret::expose), Some("p@ss+1"));
    assert_eq!(second.password.as_ref().map(Secret::expose), Some("s3cret"));
    assert!(!format!("{config:?}").contains("s3cret"));
}

#[test]
fn a_newer_version_a_missing_one_and_no_toml_are_told_apart() {
    let camera = "[[cameras]]\nurl = \"rtsp://10.0.0.2/\"\n";
    assert!(parse(&format!("version = 3\n{camera}")).unwrap_err()[0].contains("update Lares"));
    assert!(parse(&format!("version = 1\n{camera}")).is_ok());
    assert!(parse(&format!("version = 0\n{camera}")).unwrap_err()[0].contains("is not known"));
    assert!(parse(camera).unwrap_err()[0].contains("write version = 2"));
    assert!(parse("version = = 1").unwrap_err()[0].contains("is not TOML"));
    assert!(parse("version = 2").unwrap_err()[0].contains("no camera"));
}

#[test]
fn two_cameras_with_one_id_are_refused() {
    let problems = parse(
        "version = 2\n[[cameras]]\nid = \"a\"\nurl = \"rtsp://h/1\"\n[[cameras]]\nid = \"a\"\nurl = \"rtsp://h/2\"\n",
    )
    .unwrap_err();
    assert!(
        problems[0].contains("two cameras have the id"),
        "{problems:?}"
    );
}

#[test]
fn zones_and_lines_that_cannot_be_meant_are_told() {
    let problems = parse(
        "version = 2\n\
         [[cameras]]\n\
         url = \"rtsp://10.0.0.2/\"\n\
         [[cameras.zones]]\n\
         name = \"door\"\n\
         area = [[0.1, 0.1], [0.5, 0.1], [0.5, 0.5]]\n\
         loiter = 30\n\
         [[cameras.zones]]\n\
         name = \"door\"\n\
         area = [[0.1, 0.1], [0.5, 0.1], [0.5, 0.5]]\n\
         [[cameras.lines]]\n\
         name = \"gate\"\n\
         ends = [[0.5, 0.5], [0.5, 0.5]]\n\
         [[cameras.lines]]\n\
         name = \"path\"\n\
         ends = [[0.2, 0.5], [0.5, 0.5]]\n\
         direction = \"left\"\n",
    )
    .unwrap_err();
    let expect = [
        ("line 7", "without its unit"),
        ("line 9", "is used twice"),
        ("line 13", "give the line some length"),
        ("line 17", "to-left"),
    ];
    assert_eq!(problems.len(), expect.len(), "{problems:#?}");
    for (problem, (line, hint)) in problems.iter().zip(expect) {
        assert!(
            problem.starts_with(line) && problem.contains(hint),
            "{problem}"
        );
    }
}

#[test]
fn a_missing_file_says_how_to_start() {
    let error = Config::load(Path::new("/nowhere/lares.toml"), &Environment::new()).unwrap_err();
    assert!(error.to_string().contains("deploy/lares.sample.toml"));
}

#[test]
fn pictures_travel_as_asked_but_never_unencrypted_where_tls_is_asked_for() {
    let with = |scheme: &str, more: &str| {
        parse(&format!(
            "version = 2\n[[cameras]]\nurl = \"{scheme}://10.0.0.2/live\"\n{more}"
        ))
    };
    let source = with("rtsp", "transport = \"udp\"\n").unwrap().cameras[0]
        .source
        .clone();
    assert_eq!((source.transport, source.ca_file), (Transport::Udp, None));
    let secure = with("rtsps", "ca_file = \"/etc/home.pem\"\n").unwrap();
    let secure = &secure.cameras[0].source;
    assert_eq!(secure.transport, Transport::Auto);
    assert_eq!(secure.ca_file, Some("/etc/home.pem".into()));
    let problems = with("rtsps", "transport = \"udp\"\n").unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:#?}");
    assert!(problems[0].contains("unencrypted"), "{}", problems[0]);
    assert!(with("rtsp", "transport = \"carrier pigeon\"\n").is_err());
}

#[test]
fn kinds_keep_within_the_limits_of_all() {
    let with = |keys: &str| {
        let camera = "version = 2\n[[cameras]]\nurl = \"rtsp://10.0.0.2/\"\n";
        parse(&format!("{camera}[outbox]\n{keys}"))
    };
    let outbox = with("retention = \"2 d\"\nquota = \"1 GB\"\nclip_retention = \"12 h\"")
        .unwrap()
        .outbox;
    let hours = |d: Duration| d.as_secs() / 3600;
    assert_eq!(hours(outbox.clips.retention), 12);
    assert_eq!(hours(outbox.pictures.retention), 48);
    assert_eq!(outbox.clips.quota, ByteSize::mb(1_000));
    for (keys, told) in [
        (
            "retention = \"2 d\"\nclip_retention = \"3 d\"",
            "clip_retention",
        ),
        (
            "quota = \"1 MB\"",
            "outbox.quota: is too small to hold a clip",
        ),
        ("alert_quota = \"10 kB\"", "alert_quota: is too small"),
    ] {
        let problems = with(keys).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].to_string().contains(told), "{problems:?}");
    }
}

#[test]
fn at_home_there_is_one_retention_and_one_quota_unless_the_box_says_otherwise() {
    let with = |keys: &str| {
        let head = "version = 2\n[[cameras]]\nurl = \"rtsp://10.0.0.2/\"\n[hub]\nenabled = true\n";
        parse(&format!("{head}{keys}")).unwrap()
    };
    let days = |config: &Config| config.outbox.retention.as_secs() / 86_400;
    let alone = with("");
    assert_eq!(days(&alone), 30);
    let outbox = &alone.outbox;
    let bytes = [outbox.quota, outbox.clips.quota, outbox.pictures.quota];
    assert_eq!(bytes, [20_000, 20_000, 2_000].map(ByteSize::mb));
    let shared = with("retention = \"90 d\"\nquota = \"9 GB\"\nsites = [\"annex\", \"barn\"]");
    assert_eq!(
        (days(&shared), shared.outbox.quota),
        (90, ByteSize::mb(3_000))
    );
    let own = with("[outbox]\nretention = \"2 d\"\nquota = \"1 GB\"\nimage_quota = \"5 MB\"");
    assert_eq!((days(&own), own.outbox.quota), (2, ByteSize::mb(1_000)));
    assert_eq!(own.outbox.pictures.quota, ByteSize::mb(5));
    let without = parse("version = 2\n[[cameras]]\nurl = \"rtsp://10.0.0.2/\"\n").unwrap();
    assert_eq!(
        (days(&without), without.outbox.quota),
        (7, ByteSize::mb(2_000))
    );

    let doors = |keys: &str| {
        let hub = with(keys).hub.unwrap();
        (hub.broker_wanted, hub.store_wanted)
    };
    assert_eq!(doors(""), (false, false));
    assert_eq!(doors("broker = \"own\""), (true, false));
    assert_eq!(doors("store_listen = \"127.0.0.1:9001\""), (false, true));
    assert_eq!(
        doors("broker_listen = \"127.0.0.1:1884\"\nstore = \"own\""),
        (true, true)
    );
}

#[test]
fn a_certificate_of_this_box_needs_its_key_and_tls() {
    let with = |mqtt: &str| {
        parse(&format!(
            "version = 2\n[[cameras]]\nurl = \"rtsp://10.0.0.2/live\"\n[mqtt]\n{mqtt}"
        ))
    };
    let both = "client_cert = \"box.pem\"\nclient_key_file = \"/keys/box.key\"\n";
    let mqtt = with(&format!("url = \"mqtts://h\"\n{both}"))
        .unwrap()
        .mqtt
        .unwrap();
    assert_eq!(mqtt.client_cert.unwrap(), Path::new("/etc/lares/box.pem"));
    assert_eq!(mqtt.client_key.unwrap(), Path::new("/keys/box.key"));
    let alone = with("url = \"mqtts://h\"\nclient_cert = \"box.pem\"\n").unwrap_err();
    assert!(
        alone[0].contains("client_key_file") && alone[0].contains("is missing"),
        "{alone:?}"
    );
    let plain = with(&format!("url = \"mqtt://h\"\n{both}")).unwrap_err();
    assert!(plain[0].contains("write mqtts:// in url"), "{plain:?}");
}

#[test]
fn a_secret_without_end_is_refused() {
    let problems = parse(
        "version = 2\n[[cameras]]\nurl = \"rtsp://10.0.0.2/live\"\n\
         [mqtt]\nurl = \"mqtt://h\"\nuser = \"u\"\npassword_file = \"/dev/zero\"\n",
    )
    .unwrap_err();
    assert!(
        problems[0].contains("too large to be a secret"),
        "{problems:?}"
    );
}

#[test]
fn home_assistant_is_told_unless_it_is_not_wanted() {
    let with = |mqtt: &str| {
        parse(&format!(
            "version = 2\n[[cameras]]\nurl = \"rtsp://10.0.0.2/live\"\n[mqtt]\nurl = \"mqtt://h\"\n{mqtt}"
        ))
        .map(|config| config.mqtt.unwrap())
    };
    let usual = with("").unwrap();
    assert!(usual.discovery);
    assert_eq!(usual.discovery_prefix, "homeassistant");
    assert_eq!(usual.discovery_language, Language::En);
    let other =
        with("discovery = false\ndiscovery_prefix = \"home/ha\"\ndiscovery_language = \"fr\"\n")
            .unwrap();
    assert!(!other.discovery);
    assert_eq!(other.discovery_prefix, "home/ha");
    assert_eq!(other.discovery_language, Language::Fr);
    for bad in ["", "/ha", "ha/", "ha/#", "+", "$SYS"] {
        let problems = with(&format!("discovery_prefix = \"{bad}\"\n")).unwrap_err();
        assert!(
            problems[0].contains("line 6") && problems[0].contains("not a valid topic prefix"),
            "{bad}: {problems:?}"
        );
    }
    assert!(with("discovery_language = \"de\"\n").is_err());
}

fn with_section(section: &str) -> Result<Config, Vec<String>> {
    parse(&format!(
        "version = 2\n[[cameras]]\nid = \"door\"\nname = \"Front door\"\nurl = \"rtsp://10.0.0.2/live\"\n{section}"
    ))
}

#[test]
fn a_webhook_needs_an_address_and_a_long_secret() {
    let dir = tempfile::tempdir().unwrap();
    let file = |text: &str| {
        let path = dir.path().join(text.len().to_string());
        std::fs::write(&path, text).unwrap();
        format!("secret_file = \"{}\"\n", path.display())
    };
    let long = file("0123456789abcdef\n");
    let webhook = with_section(&format!("[webhook]\nurl = \"https://h/x\"\n{long}"))
        .unwrap()
        .webhook
        .unwrap();
    assert_eq!(webhook.secret.expose(), "0123456789abcdef");
    assert!(!format!("{webhook:?}").contains("0123456789"));
    let short = file("short");
    for (keys, told) in [
        (
            "url = \"https://h/x\"\n".to_owned(),
            "webhook.secret_file: is missing",
        ),
        (
            format!("url = \"https://h/x\"\n{short}"),
            "holds less than 16 characters",
        ),
        (
            format!("url = \"ftp://h/x\"\n{}", file("0123456789abcdef")),
            "write https://HOST/PATH",
        ),
    ] {
        let problems = with_section(&format!("[webhook]\n{keys}")).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].contains(told), "{problems:?}");
    }
}

#[test]
fn ntfy_has_a_topic_and_one_login() {
    let config = with_section("[ntfy]\nurl = \"https://ntfy.sh/house\"\n").unwrap();
    let ntfy = config.ntfy.as_ref().unwrap();
    assert_eq!(ntfy.when, [crate::flow::IncidentState::Began]);
    assert_eq!((ntfy.priority, ntfy.language), (4, Language::En));
    let names = config.camera_names();
    assert_eq!(names[&"door".parse().unwrap()], "Front door");
    let all = with_section(
        "[ntfy]\nurl = \"https://ntfy.sh/house\"\nuser = \"box\"\npassword_env = \"CAM_PASSWORD\"\nlanguage = \"fr\"\n\
         when = [\"ended\", \"began\"]\npriority = 5\ntags = [\"a\"]\nclick = \"https://nas/\"\n",
    );
    let all = all.unwrap().ntfy.unwrap();
    assert_eq!((all.when.len(), all.language), (2, Language::Fr));
    let bad = with_section(
        "[ntfy]\nurl = \"https://ntfy.sh/\"\nuser = \"box\"\ntoken_env = \"CAM_PASSWORD\"\n\
         language = \"de\"\nwhen = [\"left\"]\npriority = 9\n",
    );
    let problems = bad.unwrap_err().join("\n");
    for told in [
        "does not end in one topic",
        "is given beside a token",
        "\"de\" is not known",
        "\"left\" is not known: choose from",
        "9 is out of range",
    ] {
        assert!(problems.contains(told), "{told}: {problems}");
    }
}

#[test]
fn a_login_of_webdav_is_for_webdav() {
    let dav = with_section(
        "[upload]\nurl = \"webdavs://nas/lares\"\nuser = \"box\"\npassword_env = \"CAM_PASSWORD\"\n",
    );
    let upload = dav.unwrap().upload.unwrap();
    assert_eq!(upload.user.as_deref(), Some("box"));
    let problems = with_section("[upload]\nurl = \"s3://b\"\nuser = \"box\"\n").unwrap_err();
    assert!(
        problems[0].contains("goes with webdavs:// only"),
        "{problems:?}"
    );
    let problems = with_section(
        "[upload]\nurl = \"webdav://nas/\"\nregion = \"x\"\nendpoint = \"http://h\"\n",
    );
    assert!(problems.unwrap_err()[0].contains("goes with s3:// only"));
}
