//! What `lares check` says of cameras whose stream or TLS is odd.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use lares::{
    testing::films::films,
    vcam::quirk::{Server, catalog},
};

use crate::{
    home::{Home, SOON, camera},
    program::{Running, free_port, lines_with, run, text, wait_until},
};

/// The words of `check` on the camera at `url`, with `more` in its block; relative paths in that
/// start at `home`.
fn checked(home: &Home, url: &str, more: &str) -> String {
    let config = home.config(&camera("cam", url, more));
    let done = run(["check", "--config", text(&config)]);
    lines_with(&done.stdout, &["camera cam"]).join("\n")
}

#[test]
fn stamps_that_cannot_be_are_no_measure_and_clips_of_motion_jpeg_are_encoded() {
    let folder = tempfile::tempdir().unwrap();
    let films = films(folder.path()).unwrap();
    let server = Server::start(1).unwrap();
    let home = Home::new();
    // The films have a keyframe each second.
    for name in ["good", "clock-milliseconds", "clock-frozen"] {
        let kind = catalog::find(name).unwrap();
        let running = server.add((kind.make)(&films)).unwrap();
        let said = checked(&home, &running.url(), "");
        let (_, rest) = said.split_once("a keyframe each ").unwrap_or_default();
        let seconds: f64 = rest[..3]
            .parse()
            .unwrap_or_else(|_| panic!("{name}: {said}"));
        // Where stamps stand still, a run begins after the first keyframe.
        assert!((0.7..2.6).contains(&seconds), "{name}: {said}");
        let (_, cost) = said.split_once("costs about ").unwrap_or_default();
        let asleep: f64 = cost.split(' ').next().unwrap().parse().unwrap();
        assert!(asleep < 10.0, "{name}: {said}");
    }
    let jpeg = catalog::find("jpeg").unwrap();
    let running = server.add((jpeg.make)(&films)).unwrap();
    let said = checked(&home, &running.url(), "");
    assert!(said.contains("this machine encodes its clips"), "{said}");
    assert!(!said.contains("problem"), "{said}");
}

/// A certificate that signs itself, with a key of so many bits.
fn certificate(folder: &Path, bits: u32) -> [String; 2] {
    let (certificate, key) = (format!("{bits}.pem"), format!("{bits}.key"));
    let arguments = format!(
        "req -x509 -days 2 -subj /CN=cam -addext subjectAltName=IP:127.0.0.1 -newkey rsa:{bits} -nodes -keyout {key} -out {certificate}"
    );
    let mut openssl = Command::new("openssl");
    openssl.args(arguments.split(' ')).stderr(Stdio::null());
    let status = openssl.current_dir(folder).status();
    assert!(
        status
            .expect("openssl is installed by the set-up")
            .success()
    );
    [certificate, key]
}

#[test]
fn tls_that_protects_nothing_is_named() {
    let home = Home::new();
    let strong = certificate(home.path(), 2048);
    let weak = certificate(home.path(), 1024);
    let old = "speaks only old TLS (before version 1.2, or without ECDHE key exchange)";
    let key = "its key or signature is too weak, such as RSA with 1024 bits";
    for (options, [certificate, secret], words) in [
        ("-tls1_1 -cipher ALL@SECLEVEL=0", &strong, old),
        ("-tls1_2 -cipher AES128-GCM-SHA256@SECLEVEL=0", &strong, old),
        ("-tls1_2 -cipher DEFAULT@SECLEVEL=0", &weak, key),
        ("-tls1_3 -cipher DEFAULT@SECLEVEL=0", &weak, key),
    ] {
        let address = format!("127.0.0.1:{}", free_port());
        let mut command = Command::new("openssl");
        command.args(["s_server", "-quiet", "-accept", &address]);
        command.args(["-cert", certificate, "-key", secret]);
        command.args(options.split(' ')).stdin(Stdio::piped());
        let mut server = Running::start(command.current_dir(home.path()));
        wait_until(options, SOON, || {
            assert!(server.is_running(), "{}", server.stderr());
            std::net::TcpStream::connect(&address).map_err(|error| error.to_string())
        });
        let trusted = format!("ca_file = \"{certificate}\"\n");
        let said = checked(&home, &format!("rtsps://{address}/live"), &trusted);
        assert!(said.contains(words), "{options}: {said}");
        assert!(said.starts_with("problem"), "{options}: {said}");
    }
}
