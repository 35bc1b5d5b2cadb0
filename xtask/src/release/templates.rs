//! The cluster templates. One text holds all flavours: what stands between `#[flavour]` and `#[/flavour]` is of that one alone.

use crate::generated::Files;

/// The flavours; `default` is the file without a flavour in its name.
pub const FLAVOURS: [&str; 3] = ["default", "ipam", "external-tinkerbell"];

const SOURCE: &str = include_str!("cluster-template.yaml");

/// The templates by the names that clusterctl asks for.
#[must_use]
pub fn render() -> Files {
    let name = |flavour| match flavour {
        "default" => "cluster-template.yaml".to_owned(),
        flavour => format!("cluster-template-{flavour}.yaml"),
    };
    FLAVOURS.into_iter().map(|flavour| (name(flavour), of(flavour))).collect()
}

fn of(flavour: &str) -> String {
    let mut text = String::with_capacity(SOURCE.len());
    let mut inside: Option<&str> = None;
    for line in SOURCE.lines() {
        match line.strip_prefix("#[").and_then(|line| line.strip_suffix(']')) {
            Some(mark) if mark.starts_with('/') => inside = None,
            Some(mark) => inside = Some(mark),
            None if inside.is_none_or(|inside| inside == flavour) => {
                text.push_str(line);
                text.push('\n');
            }
            None => {}
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mark_is_of_a_flavour_and_is_closed_before_the_next() {
        let mut open = None;
        for line in SOURCE.lines().filter(|line| line.starts_with("#[")) {
            let mark = line.trim_start_matches("#[").trim_end_matches(']');
            match mark.strip_prefix('/') {
                Some(closed) => assert_eq!(open.take(), Some(closed), "{line}"),
                None => {
                    assert!(FLAVOURS.contains(&mark), "{line}");
                    assert_eq!(open.replace(mark), None, "{line}");
                }
            }
        }
        assert_eq!(open, None);
        for text in render().values() {
            assert!(!text.contains("#["), "a mark is left");
        }
    }
}
