//! The IPAM provider: an address for each claim, free again when the claim goes.

use capt_api::contract::CLAIM_FINALIZER;
use capt_api::meta::ObjectKey;
use serde_json::{Value, json};

use crate::event::{Event, Next};
use crate::object::{Id, Kind, Universe};
use crate::scenario::{ADDRESSES, Scenario};
use crate::server::{self, THEN};
use crate::state::State;

const WHO: &str = "IPAM provider";
const FINALIZER: &str = "ipam.cluster.x-k8s.io/ReleaseAddress";

/// Everything that the provider may do next.
pub fn moves(universe: &mut Universe, state: &State, scenario: &Scenario, next: &mut Vec<Next>) {
    let claims: Vec<Id> = state.of_kind(universe, Kind::IPAddressClaim).map(|(id, _)| id).collect();
    for id in claims {
        let claim = universe.get(id);
        let (key, is_taken_up) = (claim.key_id, claim.finalizers().contains(&FINALIZER));
        let mut after = state.clone();
        if claim.is_terminating() {
            // Providers disagree whether foreign finalizers are waited for.
            if is_taken_up && (scenario.frees_at_once || !claim.finalizers().contains(&CLAIM_FINALIZER)) {
                release(universe, &mut after, id);
                next.push(Next { event: Event::work(WHO, "frees the address of", key), state: after, broken: None });
            }
        } else if !is_taken_up && allocate(universe, &mut after, id).is_some() {
            next.push(Next {
                event: Event::work(WHO, "allocates an address for", key).quickly(),
                state: after,
                broken: None,
            });
        }
    }
}

fn allocate(universe: &mut Universe, state: &mut State, id: Id) -> Option<()> {
    if state.namespace_ends {
        return None;
    }
    let claim = universe.get(id);
    let key = claim.key.clone();
    if state.find(universe, Kind::IPAddress, &key).is_some() {
        return None;
    }
    let is_taken = |text: &str| state.of_kind(universe, Kind::IPAddress).any(|(_, a)| a.text("/spec/address") == text);
    let free = ADDRESSES.iter().find(|text| !is_taken(text))?;
    let body = json!({
        "metadata": {"namespace": key.namespace, "name": key.name, "ownerReferences": [
            {"apiVersion": "ipam.cluster.x-k8s.io/v1beta2", "kind": "IPAddressClaim", "name": key.name,
             "uid": claim.text("/metadata/uid"), "controller": true}]},
        "spec": {"claimRef": {"name": key.name}, "poolRef": claim.json.pointer("/spec/poolRef"),
            "address": free, "prefix": 24, "gateway": "10.0.0.254"},
    });
    server::create(universe, state, Kind::IPAddress, body);
    server::change(universe, state, id, |claim| {
        let finalizers = claim.pointer("/metadata/finalizers").and_then(Value::as_array).cloned().unwrap_or_default();
        claim["metadata"]["finalizers"] = finalizers.into_iter().chain([json!(FINALIZER)]).collect();
        claim["status"] = json!({"addressRef": {"name": key.name}});
    });
    Some(())
}

fn release(universe: &mut Universe, state: &mut State, id: Id) {
    let claim = universe.get(id);
    let (uid, key): (u16, ObjectKey) = (claim.uid, claim.key.clone());
    if let Some(address) = state.find(universe, Kind::IPAddress, &key)
        && universe.get(address).controller == Some(uid)
    {
        state.remove(universe, address);
    }
    server::change(universe, state, id, |claim| {
        claim["metadata"]["deletionTimestamp"] = json!(THEN);
        if let Some(finalizers) = claim.pointer_mut("/metadata/finalizers").and_then(Value::as_array_mut) {
            finalizers.retain(|finalizer| finalizer != FINALIZER);
        }
    });
}
