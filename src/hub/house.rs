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
    flow::{CameraId, ClockState, Mode, Rung, SiteId, WallTime},
    wire::{Health, IncidentMessage, range::MOST_CAMERAS},
};

/// News that a slow listener may be behind before it has to ask anew.
const BEHIND: usize = 256;
/// Bytes of pictures of one site that are remembered: its oldest go.
const MOST_PICTURES: usize = 24_000_000;
/// A box's clock and ours may differ by this much.
const CLOCK_OFF_MS: i64 = 10 * 60 * 1000;
/// What a box said about the time counts for this long.
const CLOCKS_KNOWN: Duration = Duration::from_secs(3 * 3600);
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
    /// The last picture, and its place in the order in which they came.
    picture: Option<(u64, Bytes)>,
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
    /// Pictures that have come.
    pictures: u64,
    /// How far the box's clock was from ours in its last report, where it takes it for right; and when that was.
    clock: Option<(Instant, i64)>,
}

impl Site {
    /// Forgets the oldest pictures of what is too much.
    fn trim_pictures(&mut self) {
        let pictures = |site: &Self| -> usize {
            let all = site
                .cameras
                .values()
                .filter_map(|camera| camera.picture.as_ref());
            all.map(|(_, jpeg)| jpeg.len()).sum()
        };
        while pictures(self) > MOST_PICTURES {
            let oldest = self
                .cameras
                .values_mut()
                .filter(|camera| camera.picture.is_some())
                .min_by_key(|camera| camera.picture.as_ref().map(|(at, _)| *at));
            match oldest {
                Some(camera) => camera.picture = None,
                None => return,
            }
        }
    }
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
    /// What is wrong with the hub itself, in one sentence each.
    problems: Vec<String>,
    pub(super) sites: Vec<SiteView>,
    pub(super) cameras: Vec<CameraView>,
}

/// The state. Cheap to clone.
#[derive(Clone)]
pub(super) struct House {
    sites: Arc<Mutex<BTreeMap<SiteId, Site>>>,
    local: Option<SiteId>,
    zone: String,
    problems: Arc<Mutex<Vec<String>>>,
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
            problems: Arc::default(),
            news: broadcast::channel(BEHIND).0,
        }
    }

    /// News from now on.
    pub(super) fn listen(&self) -> broadcast::Receiver<News> {
        self.news.subscribe()
    }

    /// What is wrong with the hub itself.
    pub(super) fn trouble(&self, problems: &[String]) {
        *self.problems.lock() = problems.to_vec();
        let _ = self.news.send(News::House);
    }

    pub(super) fn local(&self) -> Option<&SiteId> {
        self.local.as_ref()
    }

    /// Whether this hub is for `site`.
    pub(super) fn knows_site(&self, site: &SiteId) -> bool {
        self.sites.lock().contains_key(site)
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

    /// Changes something of `camera`; false where its site has too many already.
    fn camera(
        &self,
        site: &SiteId,
        camera: &CameraId,
        change: impl FnOnce(&mut Camera) -> bool,
    ) -> bool {
        let mut taken = true;
        self.change(site, |site| {
            if site.cameras.len() >= MOST_CAMERAS && !site.cameras.contains_key(camera) {
                taken = false;
                return false;
            }
            change(site.cameras.entry(camera.clone()).or_default())
        });
        taken
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
                site.clock = (health.clock == ClockState::Good)
                    .then(|| (Instant::now(), health.at.0.saturating_sub(now.0)));
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

    /// A camera's `status`, `mode`, `person` or `motion`; false where the site has too many cameras.
    pub(super) fn word(&self, site: &SiteId, camera: &CameraId, what: &str, word: &str) -> bool {
        self.camera(site, camera, |camera| match what {
            "status" => camera.state.replace(word.to_owned()).as_deref() != Some(word),
            "mode" => {
                let mode = word.parse().ok();
                std::mem::replace(&mut camera.mode, mode) != mode
            }
            "person" => std::mem::replace(&mut camera.person, word == "ON") != (word == "ON"),
            "motion" => std::mem::replace(&mut camera.motion, word == "ON") != (word == "ON"),
            _ => false,
        })
    }

    /// A picture of an open incident; false where the site has too many cameras.
    pub(super) fn picture(&self, site: &SiteId, camera: &CameraId, jpeg: Bytes) -> bool {
        let mut taken = true;
        self.change(site, |site| {
            if site.cameras.len() >= MOST_CAMERAS && !site.cameras.contains_key(camera) {
                taken = false;
                return false;
            }
            site.pictures += 1;
            let number = site.pictures;
            let known = site.cameras.entry(camera.clone()).or_default();
            let first = known.picture.replace((number, jpeg)).is_none();
            site.trim_pictures();
            first
        });
        taken
    }

    /// Whether most boxes that know the time say another one than we: then it is our clock that is wrong. One site's word
    /// does not count against others.
    pub(super) fn doubts_our_clock(&self, now: Instant) -> bool {
        let sites = self.sites.lock();
        let lately = sites.values().filter_map(|site| {
            let (at, off) = site.clock?;
            (now.duration_since(at) < CLOCKS_KNOWN).then_some(off)
        });
        let (off, all) = lately.fold((0, 0), |(off, all), ms| {
            (off + usize::from(ms.abs() > CLOCK_OFF_MS), all + 1)
        });
        off * 2 > all
    }

    /// The last picture of a camera that was sent.
    pub(super) fn last_picture(&self, site: &SiteId, camera: &CameraId) -> Option<Bytes> {
        let sites = self.sites.lock();
        let (_, jpeg) = sites.get(site)?.cameras.get(camera)?.picture.as_ref()?;
        Some(jpeg.clone())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::health::{CameraHealth, DiskHealth};

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
    fn a_site_with_many_cameras_and_pictures_is_remembered_in_part() {
        let (site, door) = ids();
        let other: SiteId = "annex".parse().unwrap();
        let house = House::new([site.clone(), other.clone()], None, "UTC".to_owned());
        house.picture(&site, &door, Bytes::from_static(b"door"));
        let camera = |n: usize| format!("camera-{n}").parse::<CameraId>().unwrap();
        let taken = (0..300).filter(|n| {
            let jpeg = Bytes::from(vec![0; 1_000_000]);
            house.picture(&other, &camera(*n), jpeg)
        });
        assert_eq!(taken.count(), MOST_CAMERAS);
        assert!(!house.word(&other, &camera(299), "status", "online"));
        let kept = (0..300).filter_map(|n| house.last_picture(&other, &camera(n)));
        assert_eq!(kept.map(|jpeg| jpeg.len()).sum::<usize>(), MOST_PICTURES);
        assert!(
            house
                .last_picture(&other, &camera(MOST_CAMERAS - 1))
                .is_some()
        );
        assert_eq!(house.last_picture(&site, &door).unwrap().len(), 4);
    }

    #[test]
    fn the_hubs_clock_is_doubted_where_most_boxes_say_another_time() {
        let sites: Vec<SiteId> = ["a", "b", "c"].map(|id| id.parse().unwrap()).to_vec();
        let house = House::new(sites.clone(), None, "UTC".to_owned());
        let now = WallTime(1_800_000_000_000);
        let say = |site: &SiteId, off: i64, clock: ClockState| {
            let mut health = report(0);
            (health.site, health.at, health.clock) = (site.clone(), WallTime(now.0 + off), clock);
            health.next_by = None;
            house.health(health, true, now);
        };
        assert!(
            !house.doubts_our_clock(Instant::now()),
            "nobody says anything"
        );
        let month = -30 * 24 * 3_600_000;
        say(&sites[0], month, ClockState::Good);
        assert!(house.doubts_our_clock(Instant::now()));
        say(&sites[1], 2000, ClockState::Good);
        assert!(!house.doubts_our_clock(Instant::now()), "one against one");
        say(&sites[2], month, ClockState::Unsure);
        assert!(
            !house.doubts_our_clock(Instant::now()),
            "it does not know either"
        );
        say(&sites[2], month, ClockState::Good);
        assert!(house.doubts_our_clock(Instant::now()));
        let later = Instant::now() + CLOCKS_KNOWN;
        assert!(!house.doubts_our_clock(later), "too long ago");
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
