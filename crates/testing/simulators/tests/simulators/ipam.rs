//! IPAM providers of both families.

use std::collections::BTreeSet;
use std::time::Duration;

use capt_simulators::crds::Group;
use capt_simulators::ipam::{ConditionShape, Family, IpamProvider, Options};
use memory_apiserver::Fault;
use serde_json::{Value, json};

use crate::support::{World, finalizers, is_terminating};

const RELEASE_ADDRESS: &str = "ipam.cluster.x-k8s.io/ReleaseAddress";
const PROTECT_ADDRESS: &str = "ipam.cluster.x-k8s.io/ProtectAddress";
const METAL3: &str = "ipam.metal3.io/ipaddressclaim";
const FOREIGN: &str = "example.org/consumer";

async fn world() -> World {
    World::new(&[Group::ClusterApi, Group::Ipam, Group::InCluster, Group::Metal3]).await
}

fn start(world: &World, options: Options) -> IpamProvider {
    IpamProvider::start(&world.client_for("ipam-provider"), options, &world.token)
}

async fn in_cluster_pool(world: &World, addresses: &[&str]) {
    let spec = json!({ "addresses": addresses, "prefix": 24, "gateway": "10.0.0.1" });
    world.create("InClusterIPPool", "pool", json!({ "spec": spec })).await;
}

async fn metal3_pool(world: &World, start: &str, end: &str) {
    let spec = json!({
        "namePrefix": "rack", "prefix": 24, "gateway": "10.0.0.1", "pools": [{ "start": start, "end": end }],
    });
    world.create("IPPool", "pool", json!({ "spec": spec })).await;
}

fn claim_on(group: &str, kind: &str, foreign_finalizer: bool) -> Value {
    let finalizers = if foreign_finalizer { vec![FOREIGN] } else { vec![] };
    json!({
        "metadata": { "finalizers": finalizers },
        "spec": { "poolRef": { "apiGroup": group, "kind": kind, "name": "pool" } },
    })
}

fn claim() -> Value {
    claim_on("ipam.cluster.x-k8s.io", "InClusterIPPool", false)
}

fn metal3_claim(foreign_finalizer: bool) -> Value {
    claim_on("ipam.metal3.io", "IPPool", foreign_finalizer)
}

fn is_fulfilled(claim: &Value) -> bool {
    claim["status"]["addressRef"]["name"].as_str().is_some_and(|name| !name.is_empty())
}

async fn address_of(world: &World, claim: &str) -> String {
    let claim = world.until("IPAddressClaim", claim, is_fulfilled).await;
    let name = claim["status"]["addressRef"]["name"].as_str().unwrap();
    let address = world.get("IPAddress", name).await.unwrap();
    address["spec"]["address"].as_str().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn in_cluster_claim_gets_address_prefix_gateway_owners_and_finalizers() {
    let world = world().await;
    start(&world, Options::default());
    in_cluster_pool(&world, &["10.0.0.0-10.0.0.3"]).await;
    let mut body = claim();
    body["metadata"]["labels"] = json!({ "cluster.x-k8s.io/cluster-name": "c" });
    world.create("Cluster", "c", json!({ "spec": { "paused": false } })).await;
    world.create("IPAddressClaim", "a", body).await;
    let claim = world.until("IPAddressClaim", "a", is_fulfilled).await;
    assert_eq!(finalizers(&claim), [RELEASE_ADDRESS]);
    assert_eq!(claim["status"], json!({ "addressRef": { "name": "a" } }), "and no conditions");
    let address = world.get("IPAddress", "a").await.unwrap();
    assert_eq!(address["spec"]["address"], "10.0.0.2", "neither the network nor the gateway");
    assert_eq!(address["spec"]["prefix"], 24);
    assert_eq!(address["spec"]["gateway"], "10.0.0.1");
    assert_eq!(address["spec"]["claimRef"]["name"], "a");
    assert_eq!(address["spec"]["poolRef"], claim["spec"]["poolRef"]);
    assert_eq!(finalizers(&address), [PROTECT_ADDRESS]);
    assert_eq!(address["metadata"]["labels"]["cluster.x-k8s.io/cluster-name"], "c");
    let owners = &address["metadata"]["ownerReferences"];
    assert_eq!(owners[0]["uid"], claim["metadata"]["uid"]);
    assert_eq!(owners[0]["controller"], true);
    assert_eq!(owners[1]["kind"], "InClusterIPPool");
    let counts = json!({ "total": 2, "free": 1, "used": 1, "outOfRange": 0 });
    world.until("InClusterIPPool", "pool", |pool| pool["status"]["ipAddresses"] == counts).await;
}

#[tokio::test(start_paused = true)]
async fn an_exhausted_in_cluster_pool_shows_only_on_the_pool_and_serves_once_freed() {
    let world = world().await;
    start(&world, Options::default());
    in_cluster_pool(&world, &["10.0.0.10"]).await;
    world.create("IPAddressClaim", "a", claim()).await;
    assert_eq!(address_of(&world, "a").await, "10.0.0.10");
    world.create("IPAddressClaim", "b", claim()).await;
    world.settle().await;
    let waiting = world.get("IPAddressClaim", "b").await.unwrap();
    assert_eq!(finalizers(&waiting), [RELEASE_ADDRESS]);
    assert!(waiting.get("status").is_none_or(Value::is_null), "{waiting:#}");
    let pool = world.get("InClusterIPPool", "pool").await.unwrap();
    assert_eq!(pool["status"]["ipAddresses"]["free"], 0);
    world.delete("IPAddressClaim", "a").await;
    assert_eq!(address_of(&world, "b").await, "10.0.0.10");
    world.until_gone("IPAddressClaim", "a").await;
}

#[tokio::test(start_paused = true)]
async fn a_waiting_claim_is_served_when_the_pool_grows() {
    let world = world().await;
    start(&world, Options::default());
    in_cluster_pool(&world, &["10.0.0.10"]).await;
    for name in ["a", "b"] {
        world.create("IPAddressClaim", name, claim()).await;
    }
    world.settle().await;
    let addresses = json!({ "spec": { "addresses": ["10.0.0.10-10.0.0.11"] } });
    world.patch("InClusterIPPool", "pool", addresses).await;
    let both = BTreeSet::from([address_of(&world, "a").await, address_of(&world, "b").await]);
    assert_eq!(both, BTreeSet::from(["10.0.0.10".to_owned(), "10.0.0.11".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn a_missing_pool_leaves_only_the_finalizer_until_it_appears() {
    let world = world().await;
    start(&world, Options::default());
    world.create("IPAddressClaim", "a", claim()).await;
    world.settle().await;
    let waiting = world.get("IPAddressClaim", "a").await.unwrap();
    assert_eq!(finalizers(&waiting), [RELEASE_ADDRESS]);
    assert!(waiting.get("status").is_none_or(Value::is_null));
    in_cluster_pool(&world, &["10.0.0.10"]).await;
    assert_eq!(address_of(&world, "a").await, "10.0.0.10");
}

#[tokio::test(start_paused = true)]
async fn a_claim_of_a_missing_cluster_is_ignored_until_the_cluster_appears() {
    let world = world().await;
    start(&world, Options::default());
    in_cluster_pool(&world, &["10.0.0.10"]).await;
    let mut body = claim();
    body["spec"]["clusterName"] = json!("c");
    world.create("IPAddressClaim", "a", body).await;
    world.settle().await;
    let ignored = world.get("IPAddressClaim", "a").await.unwrap();
    assert!(finalizers(&ignored).is_empty(), "not even the finalizer");
    world.create("Cluster", "c", json!({ "spec": { "paused": false } })).await;
    assert_eq!(address_of(&world, "a").await, "10.0.0.10");
    world.delete("Cluster", "c").await;
    world.delete("IPAddressClaim", "a").await;
    world.until_gone("IPAddressClaim", "a").await;
}

#[tokio::test(start_paused = true)]
async fn a_paused_cluster_holds_back_allocation_and_release() {
    let world = world().await;
    start(&world, Options::default());
    in_cluster_pool(&world, &["10.0.0.10-10.0.0.20"]).await;
    world.create("Cluster", "c", json!({ "spec": { "paused": false } })).await;
    let mut body = claim();
    body["spec"]["clusterName"] = json!("c");
    world.create("IPAddressClaim", "a", body.clone()).await;
    address_of(&world, "a").await;
    world.patch("Cluster", "c", json!({ "spec": { "paused": true } })).await;
    world.settle().await;
    world.delete("IPAddressClaim", "a").await;
    world.create("IPAddressClaim", "b", body).await;
    world.settle().await;
    assert_eq!(finalizers(&world.get("IPAddressClaim", "a").await.unwrap()), [RELEASE_ADDRESS]);
    assert!(!is_fulfilled(&world.get("IPAddressClaim", "b").await.unwrap()));
    assert!(world.get("IPAddress", "a").await.is_some());
    world.patch("Cluster", "c", json!({ "spec": { "paused": false } })).await;
    world.until_gone("IPAddressClaim", "a").await;
    address_of(&world, "b").await;
}

#[tokio::test(start_paused = true)]
async fn a_paused_claim_or_pool_is_left_alone_also_while_deleting() {
    let world = world().await;
    start(&world, Options::default());
    in_cluster_pool(&world, &["10.0.0.10-10.0.0.20"]).await;
    let paused = json!({ "metadata": { "annotations": { "cluster.x-k8s.io/paused": "" } } });
    let resumed = json!({ "metadata": { "annotations": { "cluster.x-k8s.io/paused": null } } });
    world.create("IPAddressClaim", "a", claim()).await;
    address_of(&world, "a").await;
    world.patch("IPAddressClaim", "a", paused.clone()).await;
    world.delete("IPAddressClaim", "a").await;
    world.settle().await;
    assert!(world.get("IPAddress", "a").await.is_some());
    world.patch("InClusterIPPool", "pool", paused).await;
    world.settle().await;
    world.patch("IPAddressClaim", "a", resumed.clone()).await;
    world.create("IPAddressClaim", "b", claim()).await;
    world.settle().await;
    assert!(world.get("IPAddress", "a").await.is_some(), "now the pool is paused");
    assert!(world.get("IPAddress", "b").await.is_none());
    world.patch("InClusterIPPool", "pool", resumed).await;
    world.until_gone("IPAddressClaim", "a").await;
    address_of(&world, "b").await;
}

#[tokio::test(start_paused = true)]
async fn in_cluster_frees_at_once_whatever_foreign_finalizer_the_claim_has() {
    let world = world().await;
    start(&world, Options::default());
    in_cluster_pool(&world, &["10.0.0.10"]).await;
    let body = claim_on("ipam.cluster.x-k8s.io", "InClusterIPPool", true);
    world.create("IPAddressClaim", "a", body).await;
    address_of(&world, "a").await;
    world.delete("IPAddressClaim", "a").await;
    world.until_gone("IPAddress", "a").await;
    let held = world.until("IPAddressClaim", "a", |claim| finalizers(claim) == [FOREIGN]).await;
    assert_eq!(held["status"]["addressRef"]["name"], "a", "the reference stays");
    world.create("IPAddressClaim", "b", claim()).await;
    assert_eq!(address_of(&world, "b").await, "10.0.0.10", "given away while the claim still exists");
}

#[tokio::test(start_paused = true)]
async fn metal3_frees_only_when_its_finalizer_is_the_last() {
    let world = world().await;
    start(&world, Options::of(Family::Metal3));
    metal3_pool(&world, "10.0.0.10", "10.0.0.10").await;
    world.create("IPAddressClaim", "a", metal3_claim(true)).await;
    assert_eq!(address_of(&world, "a").await, "10.0.0.10");
    assert!(world.get("IPAddress", "rack-10-0-0-10").await.is_some());
    world.delete("IPAddressClaim", "a").await;
    world.settle().await;
    assert!(world.get("IPAddress", "rack-10-0-0-10").await.is_some(), "held by the foreign finalizer");
    world.patch("IPAddressClaim", "a", json!({ "metadata": { "finalizers": [METAL3] } })).await;
    world.until_gone("IPAddressClaim", "a").await;
    assert!(world.get("IPAddress", "rack-10-0-0-10").await.is_none());
    world.until("IPPool", "pool", |pool| pool["status"]["indexes"] == json!({})).await;
}

#[tokio::test(start_paused = true)]
async fn metal3_says_that_the_pool_is_exhausted_and_ready_after_it_was_freed() {
    let world = world().await;
    start(&world, Options::of(Family::Metal3));
    metal3_pool(&world, "10.0.0.10", "10.0.0.10").await;
    world.create("IPAddressClaim", "a", metal3_claim(false)).await;
    address_of(&world, "a").await;
    world.create("IPAddressClaim", "b", metal3_claim(false)).await;
    let says = |reason: &'static str| move |claim: &Value| claim["status"]["conditions"][0]["reason"] == reason;
    let refused = world.until("IPAddressClaim", "b", says("PoolExhausted")).await;
    assert_eq!(refused["status"]["conditions"][0]["status"], "False");
    world.delete("IPAddressClaim", "a").await;
    assert_eq!(address_of(&world, "b").await, "10.0.0.10");
    let ready = world.get("IPAddressClaim", "b").await.unwrap();
    assert_eq!(ready["status"]["conditions"][0]["status"], "True");
}

#[tokio::test(start_paused = true)]
async fn metal3_can_be_stuck_after_exhaustion() {
    let world = world().await;
    let options = Options { stuck_after_exhaustion: true, ..Options::of(Family::Metal3) };
    start(&world, options);
    metal3_pool(&world, "10.0.0.10", "10.0.0.10").await;
    world.create("IPAddressClaim", "a", metal3_claim(false)).await;
    address_of(&world, "a").await;
    world.create("IPAddressClaim", "b", metal3_claim(false)).await;
    world.settle().await;
    world.delete("IPAddressClaim", "a").await;
    world.until_gone("IPAddressClaim", "a").await;
    world.settle().await;
    assert!(!is_fulfilled(&world.get("IPAddressClaim", "b").await.unwrap()));
    world.create("IPAddressClaim", "c", metal3_claim(false)).await;
    assert_eq!(address_of(&world, "c").await, "10.0.0.10", "a new claim gets it");
}

#[tokio::test(start_paused = true)]
async fn with_a_grace_period_the_claim_stays_and_the_address_with_it() {
    let world = world().await;
    let options = Options { reuse_grace: Duration::from_secs(20), ..Options::default() };
    start(&world, options);
    in_cluster_pool(&world, &["10.0.0.10"]).await;
    world.create("IPAddressClaim", "a", claim()).await;
    address_of(&world, "a").await;
    world.delete("IPAddressClaim", "a").await;
    tokio::time::sleep(Duration::from_secs(19)).await;
    assert!(world.get("IPAddress", "a").await.is_some());
    assert!(world.get("IPAddressClaim", "a").await.is_some());
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(world.get("IPAddressClaim", "a").await.is_none());
}

#[tokio::test(start_paused = true)]
async fn an_address_deleted_by_hand_stays_terminating_while_its_claim_lives() {
    let world = world().await;
    start(&world, Options::default());
    in_cluster_pool(&world, &["10.0.0.10"]).await;
    world.create("IPAddressClaim", "a", claim()).await;
    address_of(&world, "a").await;
    world.delete("IPAddress", "a").await;
    world.settle().await;
    let address = world.get("IPAddress", "a").await.unwrap();
    assert!(is_terminating(&address));
    assert_eq!(finalizers(&address), [PROTECT_ADDRESS]);
    world.delete("IPAddressClaim", "a").await;
    world.until_gone("IPAddressClaim", "a").await;
    assert!(world.get("IPAddress", "a").await.is_none());
}

#[tokio::test(start_paused = true)]
async fn an_address_made_before_its_claim_is_adopted_as_it_is() {
    let world = world().await;
    start(&world, Options::default());
    in_cluster_pool(&world, &["10.0.0.10-10.0.0.20"]).await;
    let body = claim();
    let spec = json!({
        "claimRef": { "name": "a" }, "poolRef": body["spec"]["poolRef"], "address": "10.0.9.9", "prefix": 24,
    });
    world.create("IPAddress", "a", json!({ "spec": spec })).await;
    world.create("IPAddressClaim", "a", body).await;
    assert_eq!(address_of(&world, "a").await, "10.0.9.9");
    let address = world.get("IPAddress", "a").await.unwrap();
    assert_eq!(finalizers(&address), [PROTECT_ADDRESS]);
    assert_eq!(address["metadata"]["ownerReferences"][0]["name"], "a");
    let out_of_range = |pool: &Value| pool["status"]["ipAddresses"]["outOfRange"] == 1;
    world.until("InClusterIPPool", "pool", out_of_range).await;
    world.delete("IPAddressClaim", "a").await;
    world.until_gone("IPAddress", "a").await;
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_is_down_does_nothing_and_catches_up() {
    let world = world().await;
    let provider = start(&world, Options::default());
    in_cluster_pool(&world, &["10.0.0.10-10.0.0.20"]).await;
    world.create("IPAddressClaim", "a", claim()).await;
    address_of(&world, "a").await;
    provider.pause();
    world.delete("IPAddressClaim", "a").await;
    world.create("IPAddressClaim", "b", claim()).await;
    world.settle().await;
    assert!(world.get("IPAddress", "a").await.is_some());
    assert!(finalizers(&world.get("IPAddressClaim", "b").await.unwrap()).is_empty());
    provider.resume();
    world.until_gone("IPAddressClaim", "a").await;
    address_of(&world, "b").await;
    provider.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_pool_deleted_while_its_provider_is_down_goes_once_that_is_up_again() {
    let world = world().await;
    let provider = start(&world, Options::default());
    in_cluster_pool(&world, &["10.0.0.10-10.0.0.20"]).await;
    world.until("InClusterIPPool", "pool", |pool| !finalizers(pool).is_empty()).await;
    provider.pause();
    world.delete("InClusterIPPool", "pool").await;
    world.settle().await;
    assert!(world.get("InClusterIPPool", "pool").await.is_some());
    // As a controller does that starts: it looks at every pool, used or not.
    provider.resume();
    world.until_gone("InClusterIPPool", "pool").await;
    provider.stop().await;
}

#[tokio::test(start_paused = true)]
async fn each_switch_of_the_provider_does_what_it_says() {
    let plain = Options::default;
    for (name, options) in [
        ("no gateway", Options { no_gateway: true, ..plain() }),
        ("named", Options { address_named_unlike_claim: true, ..plain() }),
        ("twice", Options { same_address_twice: true, ..plain() }),
        ("conditions", Options { conditions: Some(ConditionShape::V1Beta1), ..plain() }),
        ("slow", Options { delay: Duration::from_secs(30), ..plain() }),
    ] {
        let world = world().await;
        start(&world, options);
        in_cluster_pool(&world, &["10.0.0.10-10.0.0.20"]).await;
        world.create("IPAddressClaim", "a", claim()).await;
        world.create("IPAddressClaim", "b", claim()).await;
        if name == "slow" {
            tokio::time::sleep(Duration::from_secs(29)).await;
            assert!(!is_fulfilled(&world.get("IPAddressClaim", "a").await.unwrap()));
        }
        let addresses = [address_of(&world, "a").await, address_of(&world, "b").await];
        let claim = world.get("IPAddressClaim", "a").await.unwrap();
        let reference = claim["status"]["addressRef"]["name"].as_str().unwrap();
        let address = world.get("IPAddress", reference).await.unwrap();
        assert_eq!(address["spec"].get("gateway").is_none(), name == "no gateway", "{name}");
        assert_eq!(addresses[0] == addresses[1], name == "twice", "{name}");
        assert_eq!(reference.starts_with("pool-10-0-0-1"), name == "named", "{name}");
        let condition = claim["status"].pointer("/deprecated/v1beta1/conditions/0/status");
        assert_eq!(condition == Some(&json!("True")), name == "conditions", "{name}");
        world.delete("IPAddressClaim", "a").await;
        world.until_gone("IPAddressClaim", "a").await;
        world.until_gone("IPAddress", reference).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_pool_in_use_cannot_go_before_its_last_address() {
    let world = world().await;
    start(&world, Options::default());
    in_cluster_pool(&world, &["10.0.0.10"]).await;
    world.create("IPAddressClaim", "a", claim()).await;
    address_of(&world, "a").await;
    world.settle().await;
    world.delete("InClusterIPPool", "pool").await;
    world.settle().await;
    assert!(world.get("InClusterIPPool", "pool").await.is_some());
    world.delete("IPAddressClaim", "a").await;
    world.until_gone("IPAddressClaim", "a").await;
    world.until_gone("InClusterIPPool", "pool").await;
}

#[tokio::test(start_paused = true)]
async fn a_global_pool_serves_claims_of_any_namespace() {
    let world = world().await;
    start(&world, Options::default());
    let spec = json!({ "addresses": ["10.0.0.10"], "prefix": 24 });
    world.create("GlobalInClusterIPPool", "pool", json!({ "spec": spec })).await;
    let body = claim_on("ipam.cluster.x-k8s.io", "GlobalInClusterIPPool", false);
    world.create("IPAddressClaim", "a", body).await;
    assert_eq!(address_of(&world, "a").await, "10.0.0.10");
}

#[tokio::test(start_paused = true)]
async fn many_claims_at_once_get_as_many_different_addresses_with_three_writes_each() {
    let world = world().await;
    start(&world, Options::default());
    in_cluster_pool(&world, &["10.0.0.0/16"]).await;
    let names: Vec<String> = (0..300).map(|n| format!("claim-{n}")).collect();
    for name in &names {
        world.create("IPAddressClaim", name, claim()).await;
    }
    let mut addresses = BTreeSet::new();
    for name in &names {
        addresses.insert(address_of(&world, name).await);
    }
    assert_eq!(addresses.len(), names.len());
    let writes = world.writes_by("ipam-provider");
    let of_claims = writes.iter().filter(|(_, plural)| plural == "ipaddressclaims").count();
    let of_addresses = writes.iter().filter(|(_, plural)| plural == "ipaddresses").count();
    assert_eq!((of_claims, of_addresses), (2 * names.len(), names.len()));
    for name in &names {
        world.delete("IPAddressClaim", name).await;
    }
    let free = |pool: &Value| pool["status"]["ipAddresses"]["used"] == 0;
    world.until("InClusterIPPool", "pool", free).await;
}

#[tokio::test(start_paused = true)]
async fn claims_of_the_older_version_are_served_where_only_that_exists() {
    let world = World::with_contract(&[Group::ClusterApi, Group::Ipam, Group::InCluster], "v1beta1").await;
    let options = Options { conditions: Some(ConditionShape::V1Beta1), ..Options::default() };
    start(&world, options);
    in_cluster_pool(&world, &["10.0.0.10"]).await;
    world.create("IPAddressClaim", "a", claim()).await;
    assert_eq!(address_of(&world, "a").await, "10.0.0.10");
    let claim = world.get("IPAddressClaim", "a").await.unwrap();
    assert_eq!(claim["status"]["conditions"][0]["status"], "True");
}

#[tokio::test(start_paused = true)]
async fn metal3_can_meddle_with_a_claim_on_another_kind_of_pool_of_the_same_name() {
    let world = world().await;
    let options = Options { answers_to_pool_name: true, ..Options::of(Family::Metal3) };
    start(&world, Options::default());
    start(&world, options);
    in_cluster_pool(&world, &["10.0.0.10"]).await;
    metal3_pool(&world, "10.0.0.20", "10.0.0.20").await;
    world.create("IPAddressClaim", "a", claim()).await;
    world.until_all("IPAddress", |all| all.len() == 2).await;
    let claim = world.get("IPAddressClaim", "a").await.unwrap();
    assert_eq!(finalizers(&claim).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn lost_answers_conflicts_and_broken_watches_never_give_an_address_twice() {
    let world = world().await;
    let provider = start(&world, Options::default());
    in_cluster_pool(&world, &["10.0.0.10-10.0.0.49"]).await;
    let faults = world.server.faults();
    let own = |fault: Fault| fault.user("ipam-provider");
    faults.inject(own(Fault::timeout_after()).resource("ipaddresses").verb("create").times(5));
    faults.inject(own(Fault::connection_error_before()).resource("ipaddresses").verb("create").after(8).times(3));
    faults.inject(own(Fault::conflict()).resource("ipaddressclaims").verb("patch").after(5).times(5));
    let names: Vec<String> = (0..40).map(|n| format!("claim-{n}")).collect();
    for (n, name) in names.iter().enumerate() {
        world.create("IPAddressClaim", name, claim()).await;
        if n % 10 == 9 {
            faults.compact();
            faults.drop_watches(None);
        }
    }
    let mut addresses = BTreeSet::new();
    for name in &names {
        addresses.insert(address_of(&world, name).await);
    }
    assert_eq!(addresses.len(), names.len(), "the pool is just big enough: none twice, none lost");
    // A provider that starts anew must know what is in use before it gives anything away.
    provider.stop().await;
    start(&world, Options::default());
    world.delete("IPAddressClaim", "claim-7").await;
    world.until_gone("IPAddressClaim", "claim-7").await;
    addresses.clear();
    world.create("IPAddressClaim", "late", claim()).await;
    address_of(&world, "late").await;
    for address in world.list("IPAddress").await {
        addresses.insert(address["spec"]["address"].as_str().unwrap().to_owned());
    }
    assert_eq!(addresses.len(), names.len());
}
