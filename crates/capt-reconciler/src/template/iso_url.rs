//! The URL of the ISO a machine boots from.

use std::fmt::Write;

use super::TemplateError;

/// Colons of an instance id that become dashes: those of a MAC address.
const MAC_COLONS: usize = 5;

/// `url` with the instance's id as one more segment before the file name, which is how Tinkerbell's ISO server learns
/// whom it serves: `http://host/iso/hook.iso` becomes `http://host/iso/aa-bb-cc-dd-ee-ff/hook.iso`.
///
/// Query and fragment stay; repeated slashes and dot segments of the path go. An empty id adds no segment.
///
/// # Errors
/// [`TemplateError::MissingIsoUrl`] when `url` is empty, [`TemplateError::InvalidIsoUrl`] when it is not absolute.
pub fn iso_url(url: &str, instance_id: &str) -> Result<String, TemplateError> {
    if url.is_empty() {
        return Err(TemplateError::MissingIsoUrl);
    }
    let (origin, path, rest) = split(url).ok_or_else(|| TemplateError::InvalidIsoUrl(url.to_owned()))?;
    let (folder, file) = path.rsplit_once('/').unwrap_or_default();
    let mut segments: Vec<&str> = Vec::new();
    for segment in folder.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            other => segments.push(other),
        }
    }
    let id = encoded(&instance_id.replacen(':', "-", MAC_COLONS));
    segments.extend([id.as_str(), file].into_iter().filter(|segment| !segment.is_empty()));
    Ok(format!("{origin}/{}{rest}", segments.join("/")))
}

/// A URL as scheme with host, path, and query with fragment; nothing when it is no absolute URL.
fn split(url: &str) -> Option<(&str, &str, &str)> {
    if url.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return None;
    }
    let (scheme, behind) = url.split_once("://")?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    let host_end = behind.find(['/', '?', '#']).unwrap_or(behind.len());
    if !is_scheme || host_end == 0 {
        return None;
    }
    let (origin, after) = url.split_at_checked(url.len() - behind.len() + host_end)?;
    let (path, rest) = after.split_at_checked(after.find(['?', '#']).unwrap_or(after.len()))?;
    Some((origin, path, rest))
}

/// The text as one path segment: what may not stand in one is percent-encoded.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_stands_right_before_the_file_name() {
        for (url, expected) in [
            ("http://h:80/iso/hook.iso", "http://h:80/iso/02-00-00-00-00-01/hook.iso"),
            ("https://h/a/b/c.iso?x=1&y=/z#f", "https://h/a/b/02-00-00-00-00-01/c.iso?x=1&y=/z#f"),
            ("http://h/hook.iso", "http://h/02-00-00-00-00-01/hook.iso"),
            ("http://h", "http://h/02-00-00-00-00-01"),
            ("http://h?x=/y", "http://h/02-00-00-00-00-01?x=/y"),
            ("http://h//a/./b/../hook.iso", "http://h/a/02-00-00-00-00-01/hook.iso"),
            ("http://[fd00::1]:7171/iso/hook.iso", "http://[fd00::1]:7171/iso/02-00-00-00-00-01/hook.iso"),
        ] {
            assert_eq!(iso_url(url, "02:00:00:00:00:01").unwrap(), expected);
        }
    }

    #[test]
    fn an_id_that_is_no_mac_stays_one_segment() {
        for (id, segment) in
            [("1:2:3:4:5:6:7", "1-2-3-4-5-6:7"), ("a/b?c#d e", "a%2Fb%3Fc%23d%20e"), ("host-7", "host-7")]
        {
            assert_eq!(iso_url("http://h/x.iso", id).unwrap(), format!("http://h/{segment}/x.iso"));
        }
        assert_eq!(iso_url("http://h/x.iso", "").unwrap(), "http://h/x.iso");
    }

    #[test]
    fn what_is_no_absolute_url_is_refused() {
        assert_eq!(iso_url("", "a").unwrap_err().to_string(), "iso boot mode requires an isoURL");
        for url in
            ["hook.iso", "/iso/hook.iso", "http:///hook.iso", "://h/x", "1http://h/x", "http://h/a b", "http://h/a\nb"]
        {
            assert_eq!(iso_url(url, "a"), Err(TemplateError::InvalidIsoUrl(url.to_owned())));
        }
    }
}
