//! What can go wrong, and what to do about it. Each message is whole: none has a source that would say it twice.

use std::{io, net::SocketAddr, path::PathBuf};

use crate::config::ByteSize;

/// Why virtual cameras could not be served.
#[derive(Debug, thiserror::Error)]
pub enum VcamError {
    /// Nothing to serve.
    #[error("there is no video to serve: name at least one MP4, MKV or TS file")]
    NoVideos,
    /// The file is not there or may not be read.
    #[error("{} cannot be read ({reason}): check the path and its permissions", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// The file has no bytes.
    #[error("{} is empty: copy or record it again", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// Sound only, or a file that is no video at all.
    #[error("{} has no video in it: name an MP4, MKV or TS file with an H.264 or H.265 video", path.display())]
    NoVideo {
        /// The file.
        path: PathBuf,
    },
    /// A codec that cameras do not send.
    #[error(
        "the video in {} is {codec}, and a camera sends H.264 or H.265: convert it with \
         `ffmpeg -i \"{}\" -an -c:v libx264 -pix_fmt yuv420p -g 20 converted.mp4`",
        path.display(), path.display()
    )]
    Codec {
        /// The file.
        path: PathBuf,
        /// The codec as GStreamer calls it.
        codec: String,
    },
    /// More than is kept in memory.
    #[error("the video in {} is larger than {limit}, which would all be kept in memory: cut it with `ffmpeg -i \"{}\" -t 300 -an -c copy shorter.mp4`", path.display(), path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The most that is kept.
        limit: ByteSize,
    },
    /// The file cannot be taken apart.
    #[error("{} cannot be read as a video ({reason}): name an MP4, MKV or TS file, or try to repair this one with `ffmpeg -i \"{}\" -an -c copy repaired.mp4`", path.display(), path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// What GStreamer said.
        reason: String,
    },
    /// The address is taken or not ours.
    #[error(
        "cannot listen on {listen} ({reason}): choose another port, or port 0 for any free one"
    )]
    Listen {
        /// The address asked for.
        listen: SocketAddr,
        /// What the system said.
        reason: String,
    },
    /// Anyone on the network could watch.
    #[error(
        "{listen} can be reached from other machines: give the cameras a user and a password, or listen on 127.0.0.1"
    )]
    OpenToAll {
        /// The address asked for.
        listen: SocketAddr,
    },
    /// The certificate or its key.
    #[error("the certificate {} and its key cannot be read ({reason}): give both in PEM form, the key without a password", path.display())]
    Certificate {
        /// The certificate's file.
        path: PathBuf,
        /// What GIO said.
        reason: String,
    },
    /// The script.
    #[error("line {line} of the script is not understood: {reason}")]
    Script {
        /// Counted from 1.
        line: usize,
        /// What is wrong and what to write.
        reason: String,
    },
    /// A user without a password, or the other way round.
    #[error("a user and a password go together: give both or neither")]
    HalfCredentials,
    /// GStreamer lacks a part.
    #[error("GStreamer has no {element}: install the package {package}")]
    Missing {
        /// The element.
        element: &'static str,
        /// Debian's package that has it.
        package: &'static str,
    },
    /// GStreamer does not start.
    #[error("GStreamer does not start ({0}): reinstall the package libgstreamer1.0-0")]
    Start(String),
    /// No thread to be had.
    #[error(
        "the system gives no thread for the cameras ({0}): end other programs or raise the limit on processes"
    )]
    Thread(io::Error),
    /// Speed zero, negative or not a number.
    #[error("{0} is no speed to play at: give a number from 0.01 to 100, 1 being real time")]
    Speed(f64),
    /// No such camera.
    #[error("there is no camera number {0}: cameras are counted from 0")]
    NoSuchCamera(usize),
}
