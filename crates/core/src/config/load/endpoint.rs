//! Addresses of receivers: what every one of them must be, and must not hold.

use url::Url;

use super::reader::Section;

/// The address in `key`, which must be there, with a scheme that the registry names and no password. What is wrong is noted in `section`.
pub(super) fn url_with_scheme(section: &Section<'_>, key: &str, example: &str) -> Option<Url> {
    if !section.has(key) {
        section.problem(key, format!("is missing: write {example}"));
        return None;
    }
    let text = section.text(key)?;
    let schemes = section.schemes(key);
    let url = Url::parse(&text).ok().filter(|url| {
        schemes.contains(&url.scheme()) && (url.scheme() == "file" || url.host().is_some())
    });
    let Some(url) = url else {
        section.problem(key, format!("is not a valid address: write {example}"));
        return None;
    };
    if url.password().is_some() || !url.username().is_empty() {
        section.problem(key, "holds a password: put it in its own key, which reads it from a file or the environment");
        return None;
    }
    Some(url)
}
