//! stub
use crate::{config::*, flow::SiteId};
/// x
pub async fn mqtt(_c: &MqttConfig, _s: &SiteId) -> Result<(), String> { Ok(()) }
/// x
pub async fn store(_c: &UploadConfig) -> Result<(), String> { Ok(()) }
