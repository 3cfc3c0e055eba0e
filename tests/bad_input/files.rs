//! Recordings that cannot be read, or not to their end.

use crate::program::{assert_told_once, run, sample, text};

#[test]
fn each_unreadable_file_is_told_and_the_others_are_replayed() {
    let bad =
        ["empty.mp4", "truncated.mp4", "audio-only.mp4"].map(|name| sample(&format!("odd/{name}")));
    let good = sample("odd/clip.mkv");
    let videos = [
        text(&bad[0]),
        "nowhere.mp4",
        text(&bad[1]),
        "README.md",
        text(&bad[2]),
        text(&good),
    ];
    let done = run([&["replay", "--json"], &videos[..]].concat());
    assert_eq!(done.status, Some(1));
    for words in [
        ["empty.mp4 is empty", "make it again"],
        [
            "cannot read nowhere.mp4",
            "check the path and its permissions",
        ],
        ["truncated.mp4 cannot be read as video", "ffmpeg -i"],
        ["README.md", "video"],
        [
            "audio-only.mp4 holds no video stream",
            "give a file with video in it",
        ],
    ] {
        assert_told_once(&done.stderr, &words);
    }
    assert_eq!(done.stderr.lines().count(), 5, "{}", done.stderr);
    let of_good = done.stdout.lines().filter(|line| line.contains("clip.mkv"));
    assert_eq!(
        (done.stdout.lines().count(), of_good.count()),
        (2, 2),
        "{}",
        done.stdout
    );
}

#[test]
fn a_damaged_recording_is_replayed_as_far_as_it_can_be_and_told() {
    let done = run(["replay", "--json", text(&sample("odd/corrupt.mp4"))]);
    assert_eq!(done.status, Some(0), "{}", done.stderr);
    assert_told_once(&done.stderr, &["a damaged picture was left out"]);
    let (events, summaries): (Vec<_>, Vec<_>) = done
        .stdout
        .lines()
        .partition(|line| line.contains("\"event\""));
    assert_eq!((events.len(), summaries.len()), (1, 1), "{}", done.stdout);
}
