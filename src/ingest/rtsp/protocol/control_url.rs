//! Which address a request names. Pure.
//!
//! Cameras join addresses as text and know nothing of RFC 3986: a track's name is expected behind the query where there
//! is one. Many name themselves by an address that only they know (behind NAT, or another network card); requests
//! always go to the host that is configured, and name it.

use url::Url;

/// `scheme://host:port` of a camera, without user and password.
fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map_or(String::new(), |port| format!(":{port}"));
    format!("{}://{host}{port}", url.scheme())
}

/// The port of an address.
pub(in crate::ingest::rtsp) fn port(url: &Url) -> u16 {
    url.port().unwrap_or(match url.scheme() {
        "rtsps" => 322,
        _ => 554,
    })
}

/// The address to ask for a description, as text, without user and password.
pub(in crate::ingest::rtsp) fn plain(url: &Url) -> String {
    let query = url.query().map_or(String::new(), |q| format!("?{q}"));
    format!("{}{}{query}", authority(url), url.path())
}

/// An absolute address that the camera wrote, at the host that is configured.
fn at_home(text: &str, camera: &Url) -> Option<String> {
    let (_, rest) = text.split_once("://")?;
    let at = rest.find(['/', '?']).unwrap_or(rest.len());
    Some(format!("{}{}", authority(camera), clean(&rest[at..])))
}

/// Nothing in an address may end the line that it stands in.
fn clean(text: &str) -> String {
    text.trim()
        .chars()
        .filter(|c| !c.is_control())
        .fold(String::new(), |mut out, c| {
            match c {
                ' ' => out.push_str("%20"),
                c => out.push(c),
            }
            out
        })
}

/// What the tracks' names are relative to: what the description says, else the address that was asked for.
pub(in crate::ingest::rtsp) fn base(
    content_base: Option<&str>,
    asked: &str,
    camera: &Url,
) -> String {
    let given = content_base.filter(|text| !text.trim().is_empty());
    match given {
        Some(text) if text.contains("://") => at_home(text, camera),
        Some(text) if text.starts_with('/') => Some(authority(camera) + &clean(text)),
        _ => None,
    }
    .unwrap_or_else(|| asked.to_owned())
}

/// The address of the whole session, for PLAY and what follows.
pub(in crate::ingest::rtsp) fn aggregate(
    control: Option<&str>,
    base: &str,
    camera: &Url,
) -> String {
    match control {
        Some(text) if text.contains("://") => at_home(text, camera),
        _ => None,
    }
    .unwrap_or_else(|| base.to_owned())
}

/// Addresses of a track, the likeliest first: its control joined to `base`, and what cameras expect that deviate.
pub(in crate::ingest::rtsp) fn track(
    control: Option<&str>,
    base: &str,
    asked: &str,
    camera: &Url,
) -> Vec<String> {
    let joined = |base: &str, name: &str| {
        let (base, name) = (base.trim_end_matches('/'), name.trim_start_matches('/'));
        format!("{base}/{name}")
    };
    let mut found = match control.map(str::trim) {
        None | Some("" | "*") => vec![base.to_owned(), asked.to_owned()],
        Some(text) if text.contains("://") => at_home(text, camera).into_iter().collect(),
        Some(text) => {
            let name = clean(text);
            let by_standard = Url::parse(base).ok().and_then(|base| base.join(text).ok());
            let mut all = vec![joined(base, &name), joined(asked, &name)];
            all.extend(by_standard.map(|url| plain(&url)));
            // With the query at the end, as some write it.
            if let Some((path, query)) = base.split_once('?') {
                all.push(format!("{}?{query}", joined(path, &name)));
            }
            all
        }
    };
    let mut seen = Vec::new();
    found.retain(|url| {
        let fresh = !seen.contains(url);
        seen.push(url.clone());
        fresh
    });
    found
}

/// Where the camera sends us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ingest::rtsp) enum Redirect {
    /// To another place on itself.
    Here(Url),
    /// To somebody else, whom nobody has configured.
    Elsewhere(String),
    /// It does not say where, or to something that is no RTSP.
    Nowhere,
}

/// Reads the `Location` of a redirect from `camera`. Pictures that were asked for over TLS do not go unencrypted.
pub(in crate::ingest::rtsp) fn redirect(location: Option<&str>, camera: &Url) -> Redirect {
    let target = location
        .map(clean)
        .and_then(|text| match Url::parse(&text) {
            Ok(url) => Some(url),
            Err(_) => Url::parse(&(authority(camera) + "/" + text.trim_start_matches('/'))).ok(),
        });
    let Some(mut target) = target.filter(|url| matches!(url.scheme(), "rtsp" | "rtsps")) else {
        return Redirect::Nowhere;
    };
    let host = target.host_str().unwrap_or_default().to_owned();
    let downgraded = camera.scheme() == "rtsps" && target.scheme() == "rtsp";
    if camera.host_str() != Some(host.as_str()) || downgraded {
        return Redirect::Elsewhere(host);
    }
    // Cannot fail: the address has a host.
    let _ = target.set_username("");
    let _ = target.set_password(None);
    Redirect::Here(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn camera() -> Url {
        "rtsp://10.0.0.2:8554/live?channel=1&subtype=0"
            .parse()
            .unwrap()
    }

    #[test]
    fn tracks_are_found_as_cameras_name_them() {
        let camera = camera();
        let asked = plain(&camera);
        let first = |content_base, control| {
            let base = base(content_base, &asked, &camera);
            track(control, &base, &asked, &camera).remove(0)
        };
        let behind = "rtsp://10.0.0.2:8554/live?channel=1&subtype=0/trackID=1";
        assert_eq!(first(None, Some("trackID=1")), behind);
        let slash = "rtsp://10.0.0.2:8554/live/";
        assert_eq!(
            first(Some(slash), Some("trackID=1")),
            format!("{slash}trackID=1")
        );
        // An address that only the camera knows, in either place.
        let inside = Some("rtsp://192.0.2.44:554/live/");
        assert_eq!(first(inside, Some("/track 2")), format!("{slash}track%202"));
        let absolute = Some("rtsp://192.0.2.44/live/track2");
        assert_eq!(first(None, absolute), format!("{slash}track2"));
        for control in [None, Some("*"), Some(" ")] {
            assert_eq!(first(inside, control), slash);
        }
    }

    #[test]
    fn other_addresses_are_tried_once_each() {
        let camera = camera();
        let all = track(Some("t"), &plain(&camera), &plain(&camera), &camera);
        let expected = [
            "rtsp://10.0.0.2:8554/live?channel=1&subtype=0/t",
            "rtsp://10.0.0.2:8554/t",
            "rtsp://10.0.0.2:8554/live/t?channel=1&subtype=0",
        ];
        assert_eq!(all, expected);
    }

    #[test]
    fn a_line_end_in_an_address_does_not_reach_a_request() {
        let evil = "rtsp://x/a\r\nEvil: 1";
        let text = base(Some(evil), "rtsp://10.0.0.2/", &camera());
        assert_eq!(text, "rtsp://10.0.0.2:8554/aEvil:%201");
    }

    #[test]
    fn only_the_same_host_is_followed() {
        let camera = camera();
        let here = redirect(Some("rtsp://anna:x@10.0.0.2:554/real"), &camera);
        assert_eq!(
            here,
            Redirect::Here("rtsp://10.0.0.2:554/real".parse().unwrap())
        );
        let relative = redirect(Some("/real"), &camera);
        assert_eq!(
            relative,
            Redirect::Here("rtsp://10.0.0.2:8554/real".parse().unwrap())
        );
        let there = redirect(Some("rtsp://evil.example/"), &camera);
        assert_eq!(there, Redirect::Elsewhere("evil.example".to_owned()));
        assert_eq!(
            redirect(Some("http://10.0.0.2/"), &camera),
            Redirect::Nowhere
        );
        assert_eq!(redirect(None, &camera), Redirect::Nowhere);
        let secure = "rtsps://cam/".parse().unwrap();
        let plain = redirect(Some("rtsp://cam/x"), &secure);
        assert_eq!(plain, Redirect::Elsewhere("cam".to_owned()));
    }
}
