//! Somebody with an account at a page.

use std::{
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use lares::testing::partner;

use crate::support::{lares, wait_for};

pub(crate) const NAME: &str = "tester";
pub(crate) const PASSWORD: &str = "correct horse battery";

/// Runs `lares hub account` with one line of input; whether it went well, and what it said.
pub(crate) fn account(config: &Path, arguments: &[&str], typed: &str) -> (bool, String) {
    let mut child = lares()
        .args(["hub", "--config"])
        .arg(config)
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
}

/// A browser that is logged in, or not.
#[derive(Debug, Clone, Default)]
pub(crate) struct Visitor {
    pub(crate) port: u16,
    pub(crate) cookies: String,
}

impl Visitor {
    /// Makes an account of the hub of `config`, where there is none.
    pub(crate) fn register(config: &Path) {
        let (_, listed) = account(config, &["ls"], "");
        if listed.trim().is_empty() {
            let (added, said) = account(config, &["add", NAME], PASSWORD);
            assert!(added, "{said}");
        }
    }

    /// Logs in at the page on `port`, where the account of [`Self::register`] is one of it.
    pub(crate) fn log_in(port: u16) -> Self {
        let body = format!(r#"{{"name":"{NAME}","password":"{PASSWORD}"}}"#);
        let head = wait_for("answer of the page", Duration::from_secs(20), || {
            let head = format!(
                "POST /api/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
                 Connection: close\r\n\r\n{body}",
                body.len()
            );
            ask(port, &head).ok().filter(|answer| !answer.0.is_empty())
        });
        let cookies: Vec<&str> = head
            .0
            .lines()
            .filter_map(|line| line.strip_prefix("set-cookie: "))
            .map(|cookie| cookie.split(';').next().unwrap())
            .collect();
        Self {
            port,
            cookies: cookies.join("; "),
        }
    }

    /// Head, in lower case, and body of the answer for `path`; `more`: further lines of the request.
    pub(crate) fn part(&self, path: &str, more: &str) -> (String, Vec<u8>) {
        let cookies = &self.cookies;
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nCookie: {cookies}\r\n{more}Connection: close\r\n\r\n"
        );
        let (head, body) = ask(self.port, &head).unwrap();
        (head.to_lowercase(), body)
    }

    /// Changes something as the page does; the status of the answer.
    pub(crate) fn change(&self, method: &str, path: &str, json: &str) -> u16 {
        let (_, session) = self.get("/api/session");
        let token = session.split("\"csrf\":\"").nth(1).unwrap();
        let token = token.split('"').next().unwrap();
        let cookies = &self.cookies;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\nCookie: {cookies}\r\n\
             Lares-Csrf: {token}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{json}",
            json.len()
        );
        let (head, _) = ask(self.port, &request).unwrap();
        head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    /// Status and body of a page.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        let (head, body) = self.part(path, "");
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, String::from_utf8_lossy(&body).into_owned())
    }
}

fn ask(port: u16, request: &str) -> std::io::Result<(String, Vec<u8>)> {
    let mut socket = TcpStream::connect(("127.0.0.1", port))?;
    socket.set_read_timeout(Some(Duration::from_secs(20)))?;
    socket.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.unwrap_or(answer.len());
    let body = answer.get(end + 4..).unwrap_or_default().to_vec();
    Ok((String::from_utf8_lossy(&answer[..end]).into_owned(), body))
}

/// Whether `program` is here, or the test is skipped.
pub(crate) fn has(program: &str) -> bool {
    let here = Command::new(program).arg("-v").output().ok();
    partner::or_skip(here, &format!("{program} is missing, run \"make setup\"")).is_some()
}
