//! Pools, and how they lose their addresses.

use serde_json::Value;

use crate::manifests::Document;

pub(super) fn is_pool(document: &Document) -> bool {
    matches!(document.kind(), "InClusterIPPool" | "IPPool")
}

/// Every pool keeps its first address only.
pub(super) fn exhaust(documents: &mut [Document]) {
    documents.iter_mut().filter(|document| is_pool(document)).for_each(|pool| leave_one_address(&mut pool.object));
}

fn leave_one_address(pool: &mut Value) {
    if let Some(range) = pool.pointer_mut("/spec/addresses/0") {
        let first = range.as_str().and_then(|range| range.split('-').next()).unwrap_or_default().to_owned();
        *range = first.into();
    }
    let start = pool.pointer("/spec/pools/0/start").cloned();
    if let (Some(start), Some(end)) = (start, pool.pointer_mut("/spec/pools/0/end")) {
        *end = start;
    }
}
