//! Starts GStreamer once and makes its elements, naming the Debian package of what is missing.

use gstreamer as gst;

use super::IngestError;

/// Elements without which nothing works, and Debian's packages that hold them.
const NEEDED: [(&str, &str); 13] = [
    ("filesrc", "libgstreamer1.0-0"),
    ("capsfilter", "libgstreamer1.0-0"),
    ("appsink", "gstreamer1.0-plugins-base"),
    ("parsebin", "gstreamer1.0-plugins-base"),
    ("videoconvert", "gstreamer1.0-plugins-base"),
    ("qtdemux", "gstreamer1.0-plugins-good"),
    ("matroskademux", "gstreamer1.0-plugins-good"),
    ("rtph264depay", "gstreamer1.0-plugins-good"),
    ("rtph265depay", "gstreamer1.0-plugins-good"),
    ("h264parse", "gstreamer1.0-plugins-bad"),
    ("h265parse", "gstreamer1.0-plugins-bad"),
    ("avdec_h264", "gstreamer1.0-libav"),
    ("avdec_h265", "gstreamer1.0-libav"),
];

/// Elements that only some cameras and clips need.
const SOMETIMES: [(&str, &str); 3] = [
    ("rtpjpegdepay", "gstreamer1.0-plugins-good"),
    ("videoscale", "gstreamer1.0-plugins-base"),
    ("x264enc", "gstreamer1.0-plugins-ugly"),
];

/// Starts GStreamer and checks that every element that cameras need is installed. Cheap when called again.
///
/// # Errors
/// When GStreamer does not start, or with the package of the first element that is missing.
pub fn init() -> Result<(), IngestError> {
    gst::init().map_err(|error| IngestError::Start {
        detail: error.to_string(),
    })?;
    match NEEDED
        .iter()
        .find(|(element, _)| gst::ElementFactory::find(element).is_none())
    {
        None => Ok(()),
        Some(&(element, _)) => Err(missing(element)),
    }
}

fn missing(element: &str) -> IngestError {
    let package = NEEDED
        .iter()
        .chain(&SOMETIMES)
        .find(|(name, _)| *name == element)
        .map_or("gstreamer1.0-plugins-good", |(_, package)| package);
    IngestError::MissingElement {
        element: element.to_owned(),
        package: package.to_owned(),
    }
}

/// Makes an element.
pub(super) fn element(name: &str) -> Result<gst::Element, IngestError> {
    gst::ElementFactory::make(name)
        .build()
        .map_err(|_| missing(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::memory;

    #[test]
    fn a_missing_element_names_its_package() {
        init().unwrap();
        init().unwrap();
        let error = element("h265parse-of-the-future").unwrap_err().to_string();
        assert!(error.contains("apt install gstreamer1.0-"), "{error}");
        assert!(
            missing("avdec_h265")
                .to_string()
                .contains("gstreamer1.0-libav")
        );
    }

    fn resident_kb(of: &str) -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with(of)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Its libraries are what [`crate::base::memory`] is for.
    #[test]
    fn pages_of_libraries_go_and_come_again() {
        init().unwrap();
        let before = resident_kb("RssFile");
        memory::trim_heap();
        let after = resident_kb("RssFile");
        assert!(
            after < before * 3 / 4,
            "{before} kB before, {after} kB after"
        );
        // What was read is read again, here and in a library.
        init().unwrap();
        memory::trim_heap();
    }
}
