//! The state of the moment: which boxes are there, how their cameras do, and what the page is told of it.
//!
//! In: retained and live messages of all sites. Out: one document of the house, news for whoever listens, and which sites have
//! fallen silent. Nothing here is kept on disk: the broker says it again.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::broadcast;

use crate::{
    flow::{CameraId, Mode, Rung, SiteId, WallTime},
    wire::{Health, IncidentMessage},
};

/// News that a slow listener may be behind before it has to ask anew.
const BEHIND: usize = 256;
/// Cameras of one site that are remembered; more are not real ones.
const MOST_CAMERAS: usize = 256;
/// A box may be this much late with its report.
const LATE: Duration = Duration::from_secs(60);

/// Something that the page is told at once.
#[derive(Debug, Clone)]
pub(super) enum News {
    /// An incident has changed.
    Incident(Box<IncidentMessage>),
    /// The house has.
    House,
}

#[derive(Debug, Default)]
struct Camera {
    state: Option<String>,
    problem: Option<String>,
    name: Option<String>,
    mode: Option<Mode>,
    person: bool,
    motion: bool,
    picture: Option<Bytes>,
}

#[derive(Debug, Default)]
struct Site {
    online: bool,
    /// It is this box, and heard without the hub's broker.
    near: bool,
    heard: Option<(Instant, WallTime)>,
    /// When the next report is due.
    due: Option<Instant>,
    silent: bool,
    health: Option<Box<Health>>,
    cameras: BTreeMap<CameraId, Camera>,
}

/// A site, as the page sees it.
#[derive(Debug, Serialize)]
pub(super) struct SiteView {
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
    rung: Option<Rung>,
}

/// A camera, as the page sees it.
#[derive(Debug, Serialize)]
pub(super) struct CameraView {
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
pub(super) struct HouseView {
    v: u32,
    zone: String,
    now: WallTime,
    pub(super) sites: Vec<SiteView>,
    pub(super) cameras: Vec<CameraView>,
}

/// The state. Cheap to clone.
#[derive(Clone)]
pub(super) struct House {
    sites: Arc<Mutex<BTreeMap<SiteId, Site>>>,
    local: Option<SiteId>,
    zone: String,
    news: broadcast::Sender<News>,
}

impl House {
    /// Nobody has said anything. `local` is the box that the hub runs on.
    pub(super) fn new(
        sites: impl IntoIterator<Item = SiteId>,
        local: Option<SiteId>,
        zone: String,
    ) -> Self {
        let sites = sites
            .into_iter()
            .map(|site| (site, Site::default()))
            .collect();
        Self {
            sites: Arc::new(Mutex::new(sites)),
            local,
            zone,
            news: broadcast::channel(BEHIND).0,
        }
    }

    /// News from now on.
    pub(super) fn listen(&self) -> broadcast::Receiver<News> {
        self.news.subscribe()
    }

    pub(super) fn local(&self) -> Option<&SiteId> {
        self.local.as_ref()
    }

    /// Every site that is heard through the broker.
    pub(super) fn sites(&self) -> Vec<SiteId> {
        let sites = self.sites.lock();
        let far = sites.iter().filter(|(_, site)| !site.near);
        far.map(|(id, _)| id.clone()).collect()
    }

    /// `site` is heard in this program from now on, whatever becomes of the broker.
    pub(super) fn near(&self, site: &SiteId) {
        self.change(site, |site| {
            (site.near, site.online) = (true, true);
            true
        });
    }

    /// Tells of an incident.
    pub(super) fn incident(&self, message: IncidentMessage) {
        let _ = self.news.send(News::Incident(Box::new(message)));
    }

    /// Changes something of `site`; tells if `change` says that it is news. A site that nobody knows is left out.
    fn change(&self, site: &SiteId, change: impl FnOnce(&mut Site) -> bool) {
        let mut sites = self.sites.lock();
        let news = sites.get_mut(site).is_some_and(change);
        drop(sites);
        if news {
            let _ = self.news.send(News::House);
        }
    }

    fn camera(&self, site: &SiteId, camera: &CameraId, change: impl FnOnce(&mut Camera) -> bool) {
        self.change(site, |site| {
            if site.cameras.len() >= MOST_CAMERAS && !site.cameras.contains_key(camera) {
                return false;
            }
            change(site.cameras.entry(camera.clone()).or_default())
        });
    }

    /// The box is connected, or not.
    pub(super) fn online(&self, site: &SiteId, online: bool) {
        self.change(site, |site| {
            std::mem::replace(&mut site.online, online) != online
        });
    }

    /// A report has come. `live`: now, not out of the broker's memory.
    pub(super) fn health(&self, health: Health, live: bool, now: WallTime) {
        self.change(&health.site.clone(), |site| {
            if live {
                let next = health.next_by.map_or(0, |next| next.0 - health.at.0);
                let next = Duration::from_millis(u64::try_from(next).unwrap_or(0));
                site.heard = Some((Instant::now(), now));
                site.due = (!next.is_zero()).then(|| Instant::now() + next + LATE);
                site.silent = false;
            }
            for camera in &health.cameras {
                if site.cameras.len() >= MOST_CAMERAS && !site.cameras.contains_key(&camera.id) {
                    continue;
                }
                let known = site.cameras.entry(camera.id.clone()).or_default();
                known.name.clone_from(&camera.name);
                known.problem.clone_from(&camera.problem);
            }
            // A camera that the box no longer has.
            site.cameras
                .retain(|id, _| health.cameras.iter().any(|camera| camera.id == *id));
            site.health = Some(Box::new(health));
            true
        });
    }

    /// A camera's `status`, `mode`, `person` or `motion`.
    pub(super) fn word(&self, site: &SiteId, camera: &CameraId, what: &str, word: &str) {
        self.camera(site, camera, |camera| match what {
            "status" => camera.state.replace(word.to_owned()).as_deref() != Some(word),
            "mode" => {
                let mode = word.parse().ok();
                std::mem::replace(&mut camera.mode, mode) != mode
            }
            "person" => std::mem::replace(&mut camera.person, word == "ON") != (word == "ON"),
            "motion" => std::mem::replace(&mut camera.motion, word == "ON") != (word == "ON"),
            _ => false,
        });
    }

    /// A picture of an open incident.
    pub(super) fn picture(&self, site: &SiteId, camera: &CameraId, jpeg: Bytes) {
        self.camera(site, camera, |camera| {
            camera.picture.replace(jpeg).is_none()
        });
    }

    /// The last picture of a camera that was sent.
    pub(super) fn last_picture(&self, site: &SiteId, camera: &CameraId) -> Option<Bytes> {
        let sites = self.sites.lock();
        sites.get(site)?.cameras.get(camera)?.picture.clone()
    }

    /// What people call a camera.
    pub(super) fn name(&self, site: &SiteId, camera: &CameraId) -> String {
        let sites = self.sites.lock();
        let known = sites.get(site).and_then(|site| site.cameras.get(camera));
        known
            .and_then(|camera| camera.name.clone())
            .unwrap_or_else(|| camera.to_string())
    }

    /// Sites that are connected to the broker.
    pub(super) fn there(&self) -> Vec<SiteId> {
        let sites = self.sites.lock();
        let there = sites.iter().filter(|(_, site)| site.online && !site.near);
        there.map(|(id, _)| id.clone()).collect()
    }

    /// Every camera that is known.
    pub(super) fn cameras(&self) -> Vec<(SiteId, CameraId)> {
        let sites = self.sites.lock();
        let all = sites.iter().flat_map(|(site, state)| {
            let ids = state.cameras.keys();
            ids.map(move |camera| (site.clone(), camera.clone()))
        });
        all.collect()
    }

    /// Whether there is such a camera.
    pub(super) fn knows(&self, site: &SiteId, camera: &CameraId) -> bool {
        let sites = self.sites.lock();
        sites
            .get(site)
            .is_some_and(|site| site.cameras.contains_key(camera))
    }

    /// Looks which sites have not said in time how they are doing; those that have just fallen silent.
    pub(super) fn fallen_silent(&self, now: Instant) -> Vec<SiteId> {
        let mut sites = self.sites.lock();
        let mut silent = Vec::new();
        for (id, site) in sites.iter_mut() {
            if site.due.is_some_and(|due| now >= due) && !site.silent {
                site.silent = true;
                silent.push(id.clone());
            }
        }
        drop(sites);
        if !silent.is_empty() {
            let _ = self.news.send(News::House);
        }
        silent
    }

    /// All of it.
    pub(super) fn view(&self, now: WallTime) -> HouseView {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        flow::ClockState,
        wire::health::{CameraHealth, DiskHealth},
    };

    fn ids() -> (SiteId, CameraId) {
        ("home".parse().unwrap(), "door".parse().unwrap())
    }

    fn report(next_by: i64) -> Health {
        let disk = DiskHealth {
            stored: 0,
            quota: 1,
            free: 1,
        };
        let mut health = Health::new(ids().0, WallTime(1000), ClockState::Good, disk);
        health.next_by = Some(WallTime(next_by));
        health.cameras.push(CameraHealth {
            id: ids().1,
            name: Some("Front door".to_owned()),
            state: "online".to_owned(),
            problem: None,
        });
        health
    }

    fn view(house: &House) -> serde_json::Value {
        serde_json::to_value(house.view(WallTime(5))).unwrap()
    }

    #[test]
    fn the_document_tells_what_the_boxes_have_said() {
        let (site, door) = ids();
        let house = House::new([site.clone()], None, "UTC".to_owned());
        let mut news = house.listen();
        house.online(&site, true);
        house.health(report(2000), true, WallTime(7));
        house.word(&site, &door, "status", "online");
        house.word(&site, &door, "mode", "armed");
        house.word(&site, &door, "person", "ON");
        assert_eq!(view(&house)["cameras"][0]["name"], "Front door");
        assert_eq!(view(&house)["cameras"][0]["person"], true);
        while news.try_recv().is_ok() {}
        house.word(&site, &door, "person", "ON");
        assert!(news.try_recv().is_err(), "that is no news");
        let nobody: SiteId = "nobody".parse().unwrap();
        house.online(&nobody, true);
        let there = house.there();
        assert_eq!(
            there,
            std::slice::from_ref(&site),
            "a site that nobody configured"
        );
        house.online(&site, false);
        assert_eq!(view(&house)["cameras"][0]["state"], "unknown");
    }

    #[test]
    fn silence_is_noticed_though_the_broker_takes_the_box_for_connected() {
        let (site, _) = ids();
        let house = House::new([site.clone()], None, "UTC".to_owned());
        house.online(&site, true);
        // What the broker has kept says nothing about now.
        house.health(report(2000), false, WallTime(7));
        let long = Instant::now() + Duration::from_secs(3600);
        assert!(house.fallen_silent(long).is_empty());
        house.health(report(2000), true, WallTime(7));
        assert!(house.fallen_silent(Instant::now()).is_empty());
        assert_eq!(house.fallen_silent(long), [site]);
        assert!(house.fallen_silent(long).is_empty(), "told once");
        assert_eq!(view(&house)["sites"][0]["silent"], true);
        house.health(report(2000), true, WallTime(9));
        assert_eq!(view(&house)["sites"][0]["silent"], false);
    }
}
