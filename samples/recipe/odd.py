"""Small clips that a camera or a user may hand over one day: other containers, no video, damage."""

from pathlib import Path

from encode import MP4, ffmpeg, h264

SECONDS = 6


def other_codec(vtest: Path, target: Path, _videos: Path) -> None:
    """MPEG-4 part 2 can be decoded but not carried by a CMAF clip."""
    ffmpeg("-i", vtest, "-t", SECONDS, "-c:v", "mpeg4", "-q:v", 5, "-f", "avi", target)


def matroska(_vtest: Path, target: Path, videos: Path) -> None:
    ffmpeg("-i", videos / "vtest-h264.mp4", "-t", SECONDS, "-c", "copy", "-f", "matroska", target)


def transport_stream(_vtest: Path, target: Path, videos: Path) -> None:
    ffmpeg("-i", videos / "vtest-h264.mp4", "-t", SECONDS, "-c", "copy", "-f", "mpegts", target)


def b_frames(vtest: Path, target: Path, _videos: Path) -> None:
    ffmpeg("-i", vtest, "-t", SECONDS, *h264(1500, b_frames=3), *MP4, target)


def long_gop(vtest: Path, target: Path, _videos: Path) -> None:
    """A keyframe each ten seconds: too seldom for looking at keyframes alone."""
    ffmpeg("-i", vtest, "-t", 30, *h264(1500, keyframe_s=10), *MP4, target)


def audio_only(_vtest: Path, target: Path, _videos: Path) -> None:
    tone = f"sine=frequency=440:sample_rate=48000:duration={SECONDS}"
    ffmpeg("-f", "lavfi", "-i", tone, "-c:a", "aac", *MP4, target)


def empty(_vtest: Path, target: Path, _videos: Path) -> None:
    target.write_bytes(b"")


def corrupt(_vtest: Path, target: Path, videos: Path) -> None:
    """A sound index in front; the pictures of the middle third are overwritten, but for islands."""
    clip = target.with_suffix(".whole")
    ffmpeg("-i", videos / "vtest-h264.mp4", "-t", SECONDS, "-c", "copy", *MP4, clip)
    data = bytearray(clip.read_bytes())
    clip.unlink()
    for at in range(len(data) // 3, 2 * len(data) // 3, 4096):
        data[at : at + 2048] = bytes((at // 4096 * 37 + i * 101) & 0xFF for i in range(2048))
    target.write_bytes(data)


def truncated(_vtest: Path, target: Path, videos: Path) -> None:
    """Cut before its index, as by a power cut while recording."""
    clip = target.with_suffix(".whole")
    ffmpeg("-i", videos / "vtest-h264.mp4", "-t", SECONDS, "-c", "copy", "-f", "mp4", clip)
    data = clip.read_bytes()
    clip.unlink()
    target.write_bytes(data[: len(data) * 2 // 3])


CLIPS = {
    "mpeg4.avi": other_codec,
    "clip.mkv": matroska,
    "clip.ts": transport_stream,
    "bframes.mp4": b_frames,
    "gop10s.mp4": long_gop,
    "audio-only.mp4": audio_only,
    "empty.mp4": empty,
    "corrupt.mp4": corrupt,
    "truncated.mp4": truncated,
}
