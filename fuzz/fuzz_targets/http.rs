//! What a client of the agent's pages may send: it gets whole answers or none, and the connection ends.
#![no_main]

use std::{sync::Arc, time::Duration};

use lares::{
    base::{http::names::Names, telemetry::Metrics},
    flow::{ClockState, WallTime},
    web::{self, Handles},
    wire::{Health, health::DiskHealth},
};
use libfuzzer_sys::fuzz_target;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn pages() -> Handles {
    let disk = || DiskHealth {
        stored: 0,
        quota: 1,
        free: 1,
    };
    let site = || "home".parse().expect("a valid id");
    Handles {
        health: Arc::new(move || Health::new(site(), WallTime(0), ClockState::Good, disk())),
        metrics: Metrics::new(),
        reasons: Arc::new(|| "{\"v\":1}\n".to_owned()),
        names: Names::default(),
    }
}

fuzz_target!(|bytes: &[u8]| {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    let answers = runtime.block_on(async {
        let (client, server) = tokio::io::duplex(4096);
        let (mut from, mut to) = tokio::io::split(client);
        let served = web::steps::connection(server, web::router(pages()));
        let said = async {
            let _ = to.write_all(bytes).await;
            let _ = to.shutdown().await;
        };
        let heard = async {
            let mut answers = Vec::new();
            let _ = from.read_to_end(&mut answers).await;
            answers
        };
        let all = async { futures::join!(served, said, heard).2 };
        let within = tokio::time::timeout(Duration::from_secs(5), all).await;
        within.expect("a connection that ends once the client has hung up")
    });
    assert!(
        answers.is_empty() || answers.starts_with(b"HTTP/1."),
        "{answers:?}"
    );
});
