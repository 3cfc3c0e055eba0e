//! The page behind Debian's Caddy, with the snippet of docs/hub.md: TLS, login, events, another path.

use std::{fs, net::TcpStream, path::Path, process::Command, time::Duration};

use serde_json::Value;

use crate::{
    proxy::snippet,
    rig::{Hub, STOPS},
    support::{free_port, process::Process, wait_for},
    visitor::{NAME, PASSWORD, has},
};

const PATIENCE: Duration = Duration::from_secs(20);
const HOST: &str = "cams.example";

/// A Caddy that has its own authority in a folder, and touches nothing else of the machine.
struct Caddy {
    _process: Process,
    documented: u16,
    below: u16,
}

impl Caddy {
    fn start(dir: &Path, page: u16) -> Self {
        let [documented, below] = [(); 2].map(|()| free_port());
        let here = format!("127.0.0.1:{page}");
        // As documented, but for the port, and for an authority that the internet does not know.
        let site = snippet("caddy").replace("127.0.0.1:8080", &here).replace(
            "cams.example {",
            &format!("{HOST}:{documented} {{\n    tls internal\n    bind 127.0.0.1"),
        );
        let text = format!(
            "{{\n    admin off\n    skip_install_trust\n    auto_https disable_redirects\n    storage file_system {}\n}}\n\
             {site}\n\
             {HOST}:{below} {{\n    tls internal\n    bind 127.0.0.1\n    handle_path /lares/* {{\n        \
             reverse_proxy {here}\n    }}\n}}\n",
            dir.join("data").display()
        );
        fs::write(dir.join("Caddyfile"), text).unwrap();
        let mut command = Command::new("caddy");
        command
            .args(["run", "--config", "Caddyfile", "--adapter", "caddyfile"])
            .current_dir(dir)
            .env("HOME", dir)
            .env("XDG_DATA_HOME", dir)
            .env("XDG_CONFIG_HOME", dir);
        let process = Process::start(&mut command, &dir.join("caddy.log"));
        wait_for("Caddy", PATIENCE, || {
            TcpStream::connect(("127.0.0.1", documented)).ok()
        });
        Self {
            _process: process,
            documented,
            below,
        }
    }
}

/// What curl says, heads and all, when it asks from 127.0.0.`from`.
fn ask(from: u8, port: u16, path: &str, more: &[&str]) -> String {
    let mut curl = Command::new("curl");
    curl.args(["-sikN", "--http1.1", "--noproxy", "*", "--max-time", "5"]);
    curl.args(["--interface", &format!("127.0.0.{from}")]);
    curl.args(["--resolve", &format!("{HOST}:{port}:127.0.0.1")]);
    curl.args(more).arg(format!("https://{HOST}:{port}{path}"));
    let said = curl.output().unwrap();
    String::from_utf8_lossy(&said.stdout).into_owned()
}

fn log_in(from: u8, port: u16, password: &str) -> String {
    let body = format!(r#"{{"name":"{NAME}","password":"{password}"}}"#);
    let origin = format!("Origin: https://{HOST}:{port}");
    ask(
        from,
        port,
        "/api/login",
        &[
            "-H",
            &origin,
            "-H",
            "Sec-Fetch-Site: same-origin",
            "--json",
            &body,
        ],
    )
}

fn cookies(answer: &str) -> String {
    let set = answer.lines().filter_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("set-cookie").then_some(value)
    });
    let pairs: Vec<&str> = set
        .map(|cookie| cookie.split(';').next().unwrap())
        .collect();
    pairs.join("; ")
}

#[test]
fn the_page_works_behind_caddy() {
    if !has("caddy") || !has("curl") {
        println!("SKIPPED: no caddy or no curl here");
        return;
    }
    let hub = Hub::new();
    let more = format!("server_names = [\"{HOST}\"]\ntrusted_proxies = [\"127.0.0.1\"]\n");
    let text = fs::read_to_string(hub.config()).unwrap();
    fs::write(hub.config(), text + &more).unwrap();
    let mut running = hub.start();
    let dir = tempfile::tempdir().unwrap();
    let caddy = Caddy::start(dir.path(), hub.page);

    let entered = wait_for("Caddy's certificate", PATIENCE, || {
        let entered = log_in(3, caddy.documented, PASSWORD);
        (!entered.is_empty()).then_some(entered)
    });
    assert!(entered.starts_with("HTTP/1.1 200"), "{entered}");
    assert!(entered.contains("; Secure"), "{entered}");
    let cookies = cookies(&entered);
    let house = ask(3, caddy.documented, "/api/house", &["-b", &cookies]);
    assert!(house.starts_with("HTTP/1.1 200"), "{house}");
    // Within the five seconds that curl listens.
    let events = ask(3, caddy.documented, "/api/events", &["-b", &cookies]);
    assert!(
        events.contains("text/event-stream") && events.contains(": hello"),
        "{events}"
    );

    // Everything that the page loads is below its own address.
    let page = ask(3, caddy.below, "/lares/", &[]);
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    let (_, html) = page.split_once("\r\n\r\n").unwrap();
    let mut scripts = 0;
    for quoted in html.split('"').skip(1).step_by(2) {
        assert!(
            !quoted.starts_with('/'),
            "{quoted} is not below the page's address"
        );
        if quoted.ends_with(".js") {
            let path = format!("/lares/{}", quoted.trim_start_matches("./"));
            let script = ask(3, caddy.below, &path, &[]);
            assert!(script.starts_with("HTTP/1.1 200"), "{path}: {script}");
            scripts += 1;
        }
    }
    assert!(scripts > 0, "{html}");

    // A stranger who guesses through the proxy shuts out nobody else who comes through it, whatever he says of his address.
    let guesses: Vec<String> = (0..8)
        .map(|_| log_in(2, caddy.documented, "guess guess"))
        .collect();
    assert!(
        guesses[0].starts_with("HTTP/1.1 401") && guesses[7].starts_with("HTTP/1.1 429"),
        "{guesses:?}"
    );
    let entered = log_in(4, caddy.documented, PASSWORD);
    assert!(entered.starts_with("HTTP/1.1 200"), "{entered}");
    let log = hub.json("/api/log");
    let entries = log["entries"].as_array().unwrap();
    let from = |entry: &Value| entry["detail"] == "127.0.0.4";
    assert!(entries.iter().any(from), "{log}");
    running.terminate(STOPS);
}
