//! Circles among arrows.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The shortest circle of each knot: of all that reach each other, one way round. When it is cut, the next one shows.
#[must_use]
pub fn all(arrows: &BTreeSet<(String, String)>) -> Vec<Vec<String>> {
    let nodes: BTreeSet<&str> = arrows.iter().map(|(from, _)| from.as_str()).collect();
    let mut knotted: BTreeSet<&str> = BTreeSet::new();
    let mut found = Vec::new();
    for node in nodes {
        if knotted.contains(node) {
            continue;
        }
        let above = |other: &&str| way(arrows, node, other).is_some() && way(arrows, other, node).is_some();
        let knot: BTreeSet<&str> = arrows.iter().map(|(from, _)| from.as_str()).filter(above).collect();
        let circles = knot.iter().filter_map(|node| way(arrows, node, node));
        found.extend(circles.min_by_key(Vec::len));
        knotted.extend(knot);
    }
    found
}

/// The shortest way along the arrows, without its end; none if there is none. At least one arrow long.
fn way(arrows: &BTreeSet<(String, String)>, from: &str, to: &str) -> Option<Vec<String>> {
    let mut before: BTreeMap<&str, &str> = BTreeMap::new();
    let mut next = VecDeque::from([from]);
    while let Some(node) = next.pop_front() {
        for (_, used) in arrows.iter().filter(|(user, _)| user == node) {
            if used == to {
                return Some(back(&before, from, node));
            }
            if used != from && !before.contains_key(used.as_str()) {
                before.insert(used, node);
                next.push_back(used);
            }
        }
    }
    None
}

fn back(before: &BTreeMap<&str, &str>, from: &str, last: &str) -> Vec<String> {
    let mut steps = vec![last.to_owned()];
    let mut node = last;
    while node != from
        && let Some(earlier) = before.get(node)
    {
        steps.push((*earlier).to_owned());
        node = earlier;
    }
    steps.reverse();
    steps
}
