//! The style sheet, script and picture of the pages, embedded in the binary and served under addresses that
//! name their content, so that a browser may keep them for ever (`Cache-Control: public, max-age=31536000,
//! immutable`) and a new release is seen at once.

use std::{borrow::Cow, sync::LazyLock};

use rust_embed::Embed;

/// Where assets live; the route is `/assets/{file}`.
pub const PREFIX: &str = "/assets/";

/// The files of `templates/assets`.
#[derive(Embed)]
#[folder = "templates/assets"]
pub struct Asset;

impl Asset {
    /// The content type and bytes of the asset at `path`, which is what [`asset_url`] returned, with or without
    /// its `/assets/`. A name with another release's hash is not found: its content is not ours to claim.
    pub fn find(path: &str) -> Option<(&'static str, Cow<'static, [u8]>)> {
        let file = path.strip_prefix(PREFIX).unwrap_or(path);
        let (_, name) = CATALOGUE.iter().find(|(known, _)| known == file)?;
        Some((content_type(name), Self::get(name)?.data))
    }
}

/// The address of an asset, for example `/assets/style-0123456789abcdef.css` for `style.css`. A name that is not
/// embedded leads to a 404; a test holds that every page's assets exist.
pub fn asset_url(name: &str) -> String {
    let file = CATALOGUE
        .iter()
        .find(|(_, known)| known == name)
        .map_or(name, |(file, _)| file);
    format!("{PREFIX}{file}")
}

/// Every asset as (name with hash, name).
static CATALOGUE: LazyLock<Vec<(String, Cow<'static, str>)>> = LazyLock::new(|| {
    Asset::iter()
        .filter_map(|name| {
            let sha256 = Asset::get(&name)?.metadata.sha256_hash();
            let hash = u64::from_be_bytes(*sha256.first_chunk()?);
            let (stem, extension) = name.rsplit_once('.')?;
            Some((format!("{stem}-{hash:016x}.{extension}"), name))
        })
        .collect()
});

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_asset_is_found_at_its_address_with_a_type_a_browser_accepts() {
        for name in Asset::iter() {
            let url = asset_url(&name);
            let (content_type, bytes) = Asset::find(&url).expect("found at its address");
            assert_ne!(
                content_type, "application/octet-stream",
                "{name} needs a type"
            );
            assert_eq!(bytes, Asset::get(&name).expect("embedded").data);
            assert!(
                Asset::find(url.trim_start_matches(PREFIX)).is_some(),
                "without the prefix"
            );
        }
    }

    #[test]
    fn only_the_present_content_is_found() {
        for path in [
            "style.css",
            "/assets/style.css",
            "/assets/style-0000000000000000.css",
            "/assets/../mark.svg",
            "/assets/",
            "",
        ] {
            assert!(Asset::find(path).is_none(), "{path}");
        }
    }

    #[test]
    fn the_address_changes_with_the_content() {
        let url = asset_url("style.css");
        let hash = url
            .trim_start_matches("/assets/style-")
            .trim_end_matches(".css");
        assert_eq!(hash.len(), 16);
        assert!(hash.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
}
