//! The house as one document, for the page.

use serde::Serialize;

use super::House;
use crate::{
    flow::{CameraId, DegradationLevel, Mode, SiteId, WallTime},
    wire::Health,
};

/// A site, as the page sees it.
#[derive(Debug, Serialize)]
pub(crate) struct SiteView {
    id: SiteId,
    online: bool,
    silent: bool,
    heard: Option<WallTime>,
    local: bool,
    problems: Vec<String>,
    budget: Option<BudgetView>,
}

#[derive(Debug, Serialize)]
struct BudgetView {
    last_day: u64,
    last_30_days: u64,
    rung: Option<DegradationLevel>,
}

/// A camera, as the page sees it.
#[derive(Debug, Serialize)]
pub(crate) struct CameraView {
    site: SiteId,
    id: CameraId,
    name: String,
    state: String,
    problem: Option<String>,
    mode: Option<Mode>,
    person: bool,
    motion: bool,
    still: Option<String>,
    editable: bool,
}

/// All of it.
#[derive(Debug, Serialize)]
pub(crate) struct HouseView {
    v: u32,
    zone: String,
    now: WallTime,
    /// What is wrong with the hub itself, in one sentence each.
    problems: Vec<String>,
    pub(crate) sites: Vec<SiteView>,
    pub(crate) cameras: Vec<CameraView>,
}

impl House {
    /// All of it.
    pub(crate) fn view(&self, now: WallTime) -> HouseView {
        let sites = self.sites.lock();
        let cameras = sites.iter().flat_map(|(site, state)| {
            let local = self.local.as_ref() == Some(site);
            state.cameras.iter().map(move |(id, camera)| {
                let there = state.online && !state.silent;
                let has_still = if local {
                    camera.state.as_deref() == Some("online")
                } else {
                    camera.picture.is_some()
                };
                CameraView {
                    site: site.clone(),
                    id: id.clone(),
                    name: camera.name.clone().unwrap_or_else(|| id.to_string()),
                    state: match &camera.state {
                        Some(state) if there => state.clone(),
                        _ => "unknown".to_owned(),
                    },
                    problem: camera.problem.clone(),
                    mode: camera.mode,
                    person: there && camera.person,
                    motion: there && camera.motion,
                    still: has_still.then(|| format!("/api/cameras/{site}/{id}/still.jpg")),
                    editable: local,
                }
            })
        });
        let cameras = cameras.collect();
        let views = sites.iter().map(|(id, site)| SiteView {
            id: id.clone(),
            online: site.online,
            silent: site.silent,
            heard: site.heard.map(|(_, at)| at),
            local: self.local.as_ref() == Some(id),
            problems: site
                .health
                .as_ref()
                .map(|health| problems(health))
                .unwrap_or_default(),
            budget: site.health.as_ref().map(|health| BudgetView {
                last_day: health.budget.last_day,
                last_30_days: health.budget.last_30_days,
                rung: health.budget.rung,
            }),
        });
        HouseView {
            v: crate::wire::VERSION,
            zone: self.zone.clone(),
            now,
            problems: self.problems.lock().clone(),
            sites: views.collect(),
            cameras,
        }
    }
}

/// What is wrong with a box beside its cameras, in one sentence each.
fn problems(health: &Health) -> Vec<String> {
    let sinks = health.sinks.iter().filter_map(|sink| sink.problem.clone());
    health.problems.iter().cloned().chain(sinks).collect()
}
