//! One mount of the RTSP server: builds the shared session of one virtual camera.

use std::sync::{Arc, OnceLock};

use gstreamer as gst;
use gstreamer::{glib, glib::translate::IntoGlib, prelude::*, subclass::prelude::*};
use gstreamer_app as gst_app;
use gstreamer_rtsp as gst_rtsp;
use gstreamer_rtsp_server as rtsp;
use gstreamer_rtsp_server::{prelude::*, subclass::prelude::*};
use parking_lot::Mutex;

use super::{
    pacer::Pacer,
    tamper::{self, Faults},
    video::{Video, make},
};

/// A session holds at most this much that no client has taken; the oldest goes.
const MAX_WAITING_BYTES: u64 = 8 << 20;

/// What a mount plays.
pub(super) struct Mount {
    /// Played by the next session.
    pub(super) video: Mutex<Arc<Video>>,
    pub(super) faults: Arc<Faults>,
    pub(super) pacer: Pacer,
}

mod imp {
    use super::*;

    #[derive(Default)]
    pub struct VcamFactory {
        pub(super) mount: OnceLock<Arc<Mount>>,
        /// From `create_element` to `media_configure`: the server makes one session of a factory at a time.
        pub(super) building: Mutex<Option<Arc<Video>>>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for VcamFactory {
        const NAME: &'static str = "LaresVcamFactory";
        type Type = super::VcamFactory;
        type ParentType = rtsp::RTSPMediaFactory;
    }

    impl ObjectImpl for VcamFactory {}

    impl RTSPMediaFactoryImpl for VcamFactory {
        /// One session for all clients, by whichever of the camera's two addresses they come.
        fn gen_key(&self, _url: &gst_rtsp::RTSPUrl) -> Option<glib::GString> {
            Some("camera".into())
        }

        fn create_element(&self, _url: &gst_rtsp::RTSPUrl) -> Option<gst::Element> {
            let mount = self.mount.get()?;
            let video = Arc::clone(&mount.video.lock());
            let bin = build(&video, Arc::clone(&mount.faults))
                .inspect_err(|error| tracing::error!(%error, "a virtual camera cannot play"))
                .ok()?;
            *self.building.lock() = Some(video);
            Some(bin.upcast())
        }

        fn media_configure(&self, media: &rtsp::RTSPMedia) {
            self.parent_media_configure(media);
            let (Some(mount), Some(video)) = (self.mount.get(), self.building.lock().take()) else {
                return;
            };
            let Some(source) = source_of(media) else {
                return;
            };
            let pacer = &mount.pacer;
            let id = pacer.add(&video, source, Arc::clone(&mount.faults));
            let starting = pacer.clone();
            media.connect_new_state(move |_, state| {
                if state == gst::State::Playing.into_glib() {
                    starting.start(id);
                }
            });
            let ending = pacer.clone();
            media.connect_unprepared(move |_| ending.remove(id));
        }
    }
}

glib::wrapper! {
    /// The media factory of one virtual camera.
    pub struct VcamFactory(ObjectSubclass<imp::VcamFactory>)
        @extends rtsp::RTSPMediaFactory;
}

impl VcamFactory {
    pub(super) fn new(mount: Arc<Mount>) -> Self {
        let factory: Self = glib::Object::new();
        factory.set_shared(true);
        let set = factory.imp().mount.set(mount);
        debug_assert!(set.is_ok(), "the factory is new");
        factory
    }
}

fn source_of(media: &rtsp::RTSPMedia) -> Option<gst_app::AppSrc> {
    let bin = media.element().downcast::<gst::Bin>().ok()?;
    bin.by_name("source")?.downcast().ok()
}

/// Access units in, RTP packets out. The parameter sets are in the units already, so the payloader adds none.
fn build(video: &Video, faults: Arc<Faults>) -> Result<gst::Bin, super::VcamError> {
    let source = gst_app::AppSrc::builder()
        .name("source")
        .caps(&video.caps)
        .format(gst::Format::Time)
        .is_live(true)
        .block(false)
        .max_bytes(MAX_WAITING_BYTES)
        .leaky_type(gst_app::AppLeakyType::Downstream)
        .build();
    let payloader = make(video.codec.payloader())?;
    payloader.set_property("name", "pay0");
    payloader.set_property("pt", 96_u32);
    payloader.set_property("config-interval", 0_i32);
    tamper::install(&payloader, video.codec, faults);
    let bin = gst::Bin::new();
    bin.add_many([source.upcast_ref(), &payloader])
        .and_then(|()| source.link(&payloader))
        .expect("a payloader takes its own codec");
    Ok(bin)
}
