//! The state of the moment: which boxes are there, how their cameras do, and what the page is told of it.
//!
//! In: retained and live messages of all sites. Out: one document of the house, news for whoever listens, and which sites have
//! fallen silent. Nothing here is kept on disk: the broker says it again.

mod view;

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::broadcast;

pub(super) use self::view::HouseView;
use crate::{
    flow::{CameraId, ClockState, IncidentId, Mode, SiteId, WallTime},
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
    /// Somebody has deleted one.
    Gone(IncidentId),
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

    /// Somebody has deleted an incident.
    pub(super) fn gone(&self, id: IncidentId) {
        let _ = self.news.send(News::Gone(id));
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
}

#[cfg(test)]
mod tests;
