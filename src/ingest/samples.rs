//! Tiny videos for this room's tests, made by ffmpeg when a test runs.

use std::{path::PathBuf, process::Command};

use crate::{
    base::cpu::StageCpu,
    flow::{Codec, Packet, StreamRole},
};

use super::FileSource;

/// A folder that goes away with its files.
pub(super) struct Studio(tempfile::TempDir);

impl Studio {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A moving test picture of `frames` frames at 10 a second, encoded by ffmpeg with `options`.
    pub(super) fn video(&self, name: &str, frames: u32, options: &str) -> PathBuf {
        let picture = "-f lavfi -i testsrc2=size=192x128:rate=10";
        self.ffmpeg(name, &format!("{picture} {options} -frames:v {frames}"))
    }

    /// Runs ffmpeg with `arguments`, split at spaces, to make the file `name`.
    pub(super) fn ffmpeg(&self, name: &str, arguments: &str) -> PathBuf {
        let path = self.path(name);
        let status = Command::new("ffmpeg")
            .args(["-v", "error", "-nostdin", "-y"])
            .args(arguments.split_whitespace())
            .arg(&path)
            .status()
            .expect("these tests need ffmpeg: `apt install ffmpeg`");
        assert!(status.success(), "ffmpeg {arguments}");
        path
    }
}

/// x264 with a keyframe each `gop` frames and `b` B-frames, closed GOPs.
pub(super) fn x264(gop: u32, b: u32) -> String {
    format!(
        "-c:v libx264 -preset ultrafast -g {gop} -keyint_min {gop} -sc_threshold 0 -bf {b} -pix_fmt yuv420p"
    )
}

/// x265 with a keyframe each `gop` frames; open GOPs begin with a CRA picture that has leading pictures.
pub(super) fn x265(gop: u32, open: bool) -> String {
    let open = u8::from(open);
    format!(
        "-c:v libx265 -preset ultrafast -pix_fmt yuv420p -x265-params log-level=none:pools=1:keyint={gop}:min-keyint={gop}:scenecut=0:open-gop={open}:bframes=3:b-adapt=0"
    )
}

/// Intra refresh: after the first keyframe only recovery points, each `gop` frames.
pub(super) fn intra_refresh(codec: Codec, gop: u32) -> String {
    match codec {
        Codec::H265 => format!(
            "-c:v libx265 -preset ultrafast -pix_fmt yuv420p -x265-params log-level=none:pools=1:keyint={gop}:intra-refresh=1:scenecut=0:bframes=0"
        ),
        _ => format!(
            "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -x264-params keyint={gop}:intra-refresh=1:scenecut=0:bframes=0"
        ),
    }
}

/// All packets of a file.
pub(super) fn packets(path: &std::path::Path) -> Vec<Packet> {
    let mut source = FileSource::open(path, StreamRole::Sub, StageCpu::default()).unwrap();
    std::iter::from_fn(|| source.next_packet().unwrap()).collect()
}
