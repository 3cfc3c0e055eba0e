//! Every kind of odd camera of `lares::vcam::quirk::catalog`, several at once beside a good one, watched by the real
//! agent.
//!
//! One test for each family of kinds. `make zoo` runs [`whole`] instead: all of them, then twenty cameras together for
//! SOAK seconds, with a figure for each as its last line.

mod judge;
mod street;
mod whole;

use lares::vcam::quirk::catalog::{self, Kind};

use self::{judge::Verdict, street::watch};

/// The camera that behaves, which is among every street.
const GOOD: &str = "good";

/// The kinds of a family, and the good camera.
fn family(name: &str) -> Vec<&'static Kind> {
    let (_, kinds) = catalog::CATALOG
        .iter()
        .find(|(family, _)| *family == name)
        .unwrap();
    let others = kinds.iter().filter(|kind| kind.name != GOOD);
    catalog::find(GOOD).into_iter().chain(others).collect()
}

/// That each is what it must be.
#[track_caller]
fn assert_right(kinds: &[&'static Kind]) {
    let wrong: Vec<String> = watch(kinds)
        .into_iter()
        .filter_map(|Verdict { name, wrong }| Some(format!("{name}: {}", wrong?)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn odd_packets_are_put_together() {
    assert_right(&family("packets"));
}

#[test]
fn odd_clocks_and_paces_are_borne() {
    assert_right(&family("stamps"));
}

#[test]
fn what_decodes_is_watched_and_what_is_not_as_described_is_named() {
    assert_right(&family("codecs"));
}

#[test]
fn untidy_descriptions_are_understood() {
    assert_right(&family("description"));
}

#[test]
fn odd_addresses_are_found_and_secrets_in_them_kept() {
    assert_right(&family("addresses"));
}

#[test]
fn odd_answers_and_requests_of_a_camera_end_no_session() {
    assert_right(&family("dialogue"));
}

#[test]
fn sessions_are_kept_alive_as_each_camera_wants() {
    assert_right(&family("keepalive"));
}

#[test]
fn every_way_to_ask_for_a_login_is_spoken_or_named() {
    assert_right(&family("login"));
}

#[test]
fn datagrams_and_tls_are_received() {
    assert_right(&family("transport"));
}

#[test]
fn cameras_that_end_their_sessions_are_watched_again_within_five_seconds() {
    assert_right(&family("endings"));
}

#[test]
fn well_known_faults_in_other_words_are_borne() {
    assert_right(&family("variants"));
}

#[test]
fn hostile_cameras_cost_little() {
    assert_right(&family("hostile"));
}
