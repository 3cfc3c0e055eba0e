//! The page behind Debian's nginx: with its defaults, with what people copy, and with the snippet of docs/hub.md.

use std::{
    fmt::Write as _,
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::Path,
    process::Command,
    time::Duration,
};

use serde_json::Value;

use crate::{
    rig::{Hub, STOPS},
    support::{free_port, process::Process, root, wait_for},
    visitor::{NAME, PASSWORD, has},
};

const PATIENCE: Duration = Duration::from_secs(20);

/// An nginx with a port for each way to pass requests on.
struct Nginx {
    _process: Process,
    defaults: u16,
    copied: u16,
    documented: u16,
    below: u16,
}

/// The first snippet for `program` in docs/hub.md.
pub(crate) fn snippet(program: &str) -> String {
    let text = fs::read_to_string(root().join("docs/hub.md")).unwrap();
    let begin = format!("```{program}\n");
    let from = text.find(&begin).expect("docs/hub.md has a snippet") + begin.len();
    let length = text[from..].find("```").unwrap();
    text[from..from + length].to_owned()
}

impl Nginx {
    fn start(dir: &Path, page: u16) -> Self {
        let [defaults, copied, documented, below] = [(); 4].map(|()| free_port());
        let documentation =
            snippet("nginx").replace("127.0.0.1:8080", &format!("127.0.0.1:{page}"));
        let pass = format!("proxy_pass http://127.0.0.1:{page}");
        let ways = [
            (defaults, format!("location / {{ {pass}; }}")),
            (
                copied,
                format!(
                    "location / {{ {pass}; proxy_set_header Host $host; proxy_set_header X-Real-IP $remote_addr; \
                     proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; \
                     proxy_set_header X-Forwarded-Proto https; }}"
                ),
            ),
            (documented, documentation),
            (below, format!("location /lares/ {{ {pass}/; }}")),
        ];
        let mut text = "daemon off; pid nginx.pid; error_log errors; worker_processes 1;\nevents {}\n\
            http { access_log off; client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;\n"
            .to_owned();
        for (port, location) in ways {
            let _ = writeln!(text, "server {{ listen 127.0.0.1:{port}; {location} }}");
        }
        text.push_str("}\n");
        fs::write(dir.join("nginx.conf"), text).unwrap();
        let mut command = Command::new("nginx");
        command
            .arg("-p")
            .arg(dir)
            .args(["-c", "nginx.conf", "-e", "errors"]);
        let process = Process::start(&mut command, &dir.join("nginx.log"));
        wait_for("nginx", PATIENCE, || {
            TcpStream::connect(("127.0.0.1", defaults)).ok()
        });
        Self {
            _process: process,
            defaults,
            copied,
            documented,
            below,
        }
    }
}

/// A request from an address of this machine; the answer as far as it has come when `enough` of it has.
fn ask(from: u8, port: u16, request: &str, enough: impl Fn(&str) -> bool) -> String {
    let mut socket = socket(from, port);
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.write_all(request.as_bytes()).unwrap();
    let (mut answer, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&answer).into_owned();
        if enough(&text) {
            return text;
        }
        match socket.read(&mut piece) {
            Ok(0) => return text,
            Ok(read) => answer.extend_from_slice(&piece[..read]),
            Err(error) => panic!("{error} after {text}"),
        }
    }
}

/// A connection from 127.0.0.`from`.
fn socket(from: u8, port: u16) -> TcpStream {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let connected = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        let own = SocketAddr::from((Ipv4Addr::new(127, 0, 0, from), 0));
        socket.bind(own).unwrap();
        let there = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        socket.connect(there).await.unwrap().into_std().unwrap()
    });
    connected.set_nonblocking(false).unwrap();
    connected
}

fn log_in(from: u8, port: u16, password: &str) -> String {
    let body = format!(r#"{{"name":"{NAME}","password":"{password}"}}"#);
    // As a browser that shows https://cams.example:8443 says it.
    let request = format!(
        "POST /api/login HTTP/1.1\r\nHost: cams.example:8443\r\nOrigin: https://cams.example:8443\r\n\
         Sec-Fetch-Site: same-origin\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    );
    ask(from, port, &request, |_| false)
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
fn the_page_works_behind_nginx() {
    if !has("nginx") {
        return;
    }
    let hub = Hub::new();
    let more = "server_names = [\"cams.example\"]\ntrusted_proxies = [\"127.0.0.1\"]\n";
    let text = fs::read_to_string(hub.config()).unwrap();
    fs::write(hub.config(), text + more).unwrap();
    let mut running = hub.start();
    let dir = tempfile::tempdir().unwrap();
    let nginx = Nginx::start(dir.path(), hub.page);

    for (how, port) in [
        ("defaults", nginx.defaults),
        ("copied", nginx.copied),
        ("documented", nginx.documented),
    ] {
        let entered = log_in(3, port, PASSWORD);
        assert!(entered.starts_with("HTTP/1.1 200"), "{how}: {entered}");
        assert!(entered.contains("; Secure"), "{how}: {entered}");
        let cookies = cookies(&entered);
        let get = |path: &str| {
            format!(
                "GET {path} HTTP/1.1\r\nHost: cams.example:8443\r\nCookie: {cookies}\r\nConnection: close\r\n\r\n"
            )
        };
        let house = ask(3, port, &get("/api/house"), |_| false);
        assert!(house.starts_with("HTTP/1.1 200"), "{how}: {house}");
        // Events come when they happen, though nginx would rather fill its buffers first.
        let began = std::time::Instant::now();
        let events = ask(3, port, &get("/api/events"), |text| {
            text.contains(": hello")
        });
        assert!(events.contains("text/event-stream"), "{how}: {events}");
        assert!(
            began.elapsed() < Duration::from_secs(3),
            "{how}: {:?}",
            began.elapsed()
        );
    }

    // Everything that the page loads is below its own address.
    let page = ask(
        3,
        nginx.below,
        "GET /lares/ HTTP/1.1\r\nHost: cams.example\r\nConnection: close\r\n\r\n",
        |_| false,
    );
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    for quoted in page.split('"').skip(1).step_by(2) {
        assert!(
            !quoted.starts_with('/'),
            "{quoted} is not below the page's address"
        );
    }

    // A stranger who guesses through the proxy shuts out nobody else who comes through it.
    let guesses: Vec<String> = (0..8)
        .map(|_| log_in(2, nginx.documented, "guess guess"))
        .collect();
    assert!(
        guesses[0].starts_with("HTTP/1.1 401") && guesses[7].starts_with("HTTP/1.1 429"),
        "{guesses:?}"
    );
    let entered = log_in(4, nginx.documented, PASSWORD);
    assert!(entered.starts_with("HTTP/1.1 200"), "{entered}");
    let log = hub.json("/api/log");
    let from = |entry: &Value| entry["detail"].as_str().unwrap_or_default().to_owned();
    let all: Vec<String> = log["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(from)
        .collect();
    assert!(all.contains(&"127.0.0.4".to_owned()), "{all:?}");
    running.terminate(STOPS);
}
