//! Objects as the API server sends them.

use capt_api::kube_core::ObjectList;
use capt_api::meta::{Meta, ObjectKey};
use capt_kube::cache::{Cache, Cached};
use capt_kube::decode::Guarded;
use capt_reconciler::observed::bmc::Job;
use capt_reconciler::observed::cluster_api::{Cluster, IPAddress, IPAddressClaim, Machine, Pool};
use capt_reconciler::observed::infra::{TinkerbellCluster, TinkerbellMachine};
use capt_reconciler::observed::tinkerbell::{Hardware, Template, Workflow};

/// One object, read as every kind that we watch, put into the stores and taken out again. Contents stay out of debug output.
///
/// # Panics
/// When an object that decodes is not found afterwards, or shows what it holds.
pub fn objects(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let cache = Cache::new();
    if let Some(hardware) = keep::<Hardware>(&cache, text) {
        let _ = (hardware.reservations().len(), hardware.reserved_for());
        let _ = (hardware.addresses().count(), hardware.gateways().count());
    }
    if let Some(machine) = keep::<TinkerbellMachine>(&cache, text) {
        let _ = machine.owner(capt_api::contract::CLUSTER_API_GROUP, "Machine");
    }
    if let Some(cluster) = keep::<Cluster>(&cache, text) {
        let _ = (cluster.is_paused_by_spec(), cluster.is_paused());
    }
    if let Some(workflow) = keep::<Workflow>(&cache, text) {
        let _ = workflow.progress();
    }
    if let Some(job) = keep::<Job>(&cache, text) {
        let _ = job.outcome();
    }
    keep::<TinkerbellCluster>(&cache, text);
    keep::<Machine>(&cache, text);
    keep::<IPAddressClaim>(&cache, text);
    keep::<IPAddress>(&cache, text);
    keep::<Template>(&cache, text);
    if let Ok(Guarded::Valid(pool)) = serde_json::from_str::<Guarded<Pool>>(text) {
        let _ = (pool.is_paused(), pool.exhausted());
    }
    // A list is as good as its good items.
    let list = format!(
        r#"{{"apiVersion": "v1", "kind": "List", "metadata": {{}}, "items": [{text}, {{"metadata": {{"name": "good"}}}}]}}"#
    );
    if let Ok(list) = serde_json::from_str::<ObjectList<Guarded<Hardware>>>(&list) {
        assert!(list.items.iter().any(|item| matches!(item, Guarded::Valid(_))));
    }
}

/// The object, if it decodes.
fn keep<K: Cached>(cache: &Cache, text: &str) -> Option<K> {
    let object: Guarded<K> = serde_json::from_str(text).ok()?;
    assert!(format!("{object:?}").len() < 10, "debug output of an object says more than whether it decodes");
    let Guarded::Valid(valid) = &object else {
        cache.answered(object);
        return None;
    };
    let valid = valid.clone();
    let key = ObjectKey::of(valid.meta());
    let is_gone = valid.is_terminating() && valid.meta().finalizers.as_ref().is_none_or(Vec::is_empty);
    let is_known = valid.resource_version().parse::<u64>().is_ok_and(|version| version > 0);
    cache.answered(object);
    assert!(!is_known || K::kind_cache(cache).store.get(&key).is_some() != is_gone, "{key} is lost");
    Some(valid)
}
