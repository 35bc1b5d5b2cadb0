//! Who pauses an object, in Cluster API's words.

use crate::observed::cluster_api::Cluster;
use capt_api::conditions::{PAUSED, READY, Reason};
use capt_api::contract::PAUSED_ANNOTATION;
use capt_api::k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use capt_api::meta::Meta;

use crate::conditions::Conditions;
use crate::notice::Notice;

/// What pauses an object of this kind; empty when nothing does. A pause annotation on the Cluster counts as well
/// (difference D13: upstream reads only its spec).
pub fn causes(kind: &str, cluster: Option<&Cluster>, annotated: bool) -> Vec<String> {
    let mut causes = Vec::new();
    if cluster.is_some_and(Cluster::is_paused_by_spec) {
        causes.push("Cluster spec.paused is set to true".to_owned());
    } else if cluster.is_some_and(|cluster| cluster.annotation(PAUSED_ANNOTATION).is_some()) {
        causes.push(format!("Cluster has the {PAUSED_ANNOTATION} annotation"));
    }
    if annotated {
        causes.push(format!("{kind} has the {PAUSED_ANNOTATION} annotation"));
    }
    causes
}

/// Sets the `Paused` condition.
pub fn set_condition(conditions: &mut Conditions, causes: &[String]) {
    if causes.is_empty() {
        conditions.set(PAUSED, false, Reason::NotPaused, "");
    } else {
        conditions.set(PAUSED, true, Reason::Paused, &causes.join(", "));
    }
}

/// A paused object shows that in `Ready`, too, where people look; whether it is ready does not change.
pub fn set_ready(conditions: &mut Conditions, ready: bool, causes: &[String]) {
    let ready = conditions.get(READY).map_or(ready, |condition| condition.status == "True");
    conditions.set(READY, ready, Reason::Paused, &causes.join(", "));
}

/// What the `Paused` condition tells for the first time, as a notice. A new object that is not
/// paused is no news.
pub fn news(before: &[Condition], after: &[Condition]) -> Option<Notice> {
    let find = |list: &[Condition]| list.iter().find(|condition| condition.type_ == PAUSED).cloned();
    let now = find(after)?;
    let was_paused = find(before).is_some_and(|condition| condition.status == "True");
    match (was_paused, now.status == "True") {
        (false, true) => Some(Notice::normal(Reason::Paused, now.message)),
        (true, false) => Some(Notice::normal(Reason::NotPaused, "no longer paused")),
        _ => None,
    }
}
