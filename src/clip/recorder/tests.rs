use super::*;

/// The default configuration.
pub(in crate::clip) fn config() -> ClipConfig {
    ClipConfig::default()
}
