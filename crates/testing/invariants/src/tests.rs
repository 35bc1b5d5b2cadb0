//! Made-up writes: for each rule a sequence that breaks it, which must be found, and a clean life, in which nothing is.

use serde_json::{Value, json};

use super::{Key, Observer, Rule, Write};

const MANAGER: &str = "manager";

/// A little server: keeps objects, so that a test only says what changes.
struct Play {
    observer: Observer,
    objects: std::collections::BTreeMap<(String, String), Value>,
    sequence: u64,
}

fn group(resource: &str) -> &'static str {
    match resource {
        "hardware" | "templates" | "workflows" => "tinkerbell.org",
        "ipaddresses" | "ipaddressclaims" => "ipam.cluster.x-k8s.io",
        _ => "infrastructure.cluster.x-k8s.io",
    }
}

impl Play {
    /// Two Hardware with BMCs, and machines `a` and `b` that want addresses.
    fn new() -> Self {
        let mut play = Self { observer: Observer::new(MANAGER), objects: Default::default(), sequence: 0 };
        for n in ["hw1", "hw2"] {
            play.put(
                "admin",
                "hardware",
                n,
                json!({
                    "spec": {"bmcRef": {"name": n}, "interfaces": [{"dhcp": {"mac": format!("02:{n}")}}]},
                }),
            );
        }
        for n in ["a", "b"] {
            play.put(
                "admin",
                "tinkerbellmachines",
                n,
                json!({
                    "metadata": {"uid": format!("uid-{n}")}, "spec": {"ipamPoolRef": {"name": "pool"}},
                }),
            );
        }
        play
    }

    /// Merges a patch into an object, or creates it.
    fn put(&mut self, user: &str, resource: &str, name: &str, patch: Value) {
        let at = (resource.to_owned(), name.to_owned());
        let old = self.objects.get(&at).cloned();
        let mut new = old.clone().unwrap_or_else(|| json!({"metadata": {"name": name, "namespace": "ns"}}));
        json_merge(&mut new, &patch);
        self.write(user, resource, name, old.as_ref(), Some(&new));
        self.objects.insert(at, new);
    }

    fn remove(&mut self, user: &str, resource: &str, name: &str) {
        let old = self.objects.remove(&(resource.to_owned(), name.to_owned()));
        self.write(user, resource, name, old.as_ref(), None);
    }

    fn write(&mut self, user: &str, resource: &str, name: &str, old: Option<&Value>, new: Option<&Value>) {
        self.sequence += 1;
        let (sequence, group) = (self.sequence, group(resource));
        self.observer.see(&Write { sequence, user, verb: "patch", group, resource, namespace: "ns", name, old, new });
    }

    fn power(&self, bmc: &str, on: bool) {
        self.observer.power(Key::new("ns", bmc), on);
    }

    fn reserve(&mut self, hardware: &str, machine: &str) {
        self.put(MANAGER, "hardware", hardware, labels(Some(machine)));
        let spec = json!({"hardwareName": hardware, "providerID": format!("tinkerbell://ns/{hardware}")});
        self.put(MANAGER, "tinkerbellmachines", machine, json!({"spec": spec}));
    }

    fn bind(&mut self, machine: &str, address: &str) {
        let claim = format!("{machine}-0");
        let owner = json!([{"controller": true, "uid": format!("uid-{machine}")}]);
        self.put(MANAGER, "ipaddressclaims", &claim, json!({"metadata": {"ownerReferences": owner}}));
        let pool = json!({"kind": "InClusterIPPool", "name": "pool"});
        let spec = json!({"address": address, "claimRef": {"name": claim}, "poolRef": pool});
        self.put("provider", "ipaddresses", &claim, json!({"spec": spec}));
    }

    fn address(&mut self, user: &str, hardware: &str, ip: Value) {
        let mut interfaces = json!([{"dhcp": {"mac": format!("02:{hardware}"), "ip": ip}}]);
        interfaces.as_array_mut().unwrap().iter_mut().for_each(|interface| strip_nulls(&mut interface["dhcp"]));
        self.put(user, "hardware", hardware, json!({"spec": {"interfaces": interfaces}}));
    }

    fn boot(&mut self, machine: &str) {
        let mark = json!({"metadata": {"annotations": {"capt.tinkerbell.org/machine-uid": format!("uid-{machine}")}}});
        self.put(MANAGER, "templates", machine, mark.clone());
        self.put(MANAGER, "workflows", machine, mark);
    }

    /// A machine up to the annotation that says it is provisioned.
    fn provision(&mut self, machine: &str, hardware: &str, address: &str) {
        self.reserve(hardware, machine);
        self.bind(machine, address);
        self.address(MANAGER, hardware, ip(address));
        self.boot(machine);
        self.power(hardware, true);
        self.put(MANAGER, "hardware", hardware, provisioned(json!("true")));
    }

    fn release_patch(&mut self, hardware: &str) {
        self.release_patch_leaving(hardware, &json!({}));
    }

    /// As released, but for `left`.
    fn release_patch_leaving(&mut self, hardware: &str, left: &Value) {
        let mut patch = labels(None);
        overlay(&mut patch, &provisioned(Value::Null));
        let interfaces = json!([{"dhcp": {"mac": format!("02:{hardware}")}}]);
        overlay(&mut patch, &json!({"spec": {"interfaces": interfaces, "userData": null}}));
        overlay(&mut patch, left);
        self.put(MANAGER, "hardware", hardware, patch);
    }

    fn terminate(&mut self, resource: &str, name: &str) {
        self.put("admin", resource, name, json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}));
    }

    fn rules(&self) -> Vec<Rule> {
        self.observer.violations().into_iter().map(|violation| violation.rule).collect()
    }
}

fn ip(address: &str) -> Value {
    json!({"address": address, "netmask": "255.255.255.0", "gateway": "10.0.0.1"})
}

fn labels(machine: Option<&str>) -> Value {
    json!({"metadata": {"labels": {
        "v1alpha1.tinkerbell.org/ownerName": machine,
        "v1alpha1.tinkerbell.org/ownerNamespace": machine.map(|_| "ns"),
    }}})
}

fn provisioned(value: Value) -> Value {
    json!({"metadata": {"annotations": {"v1alpha1.tinkerbell.org/provisioned": value}}})
}

/// RFC 7386: null takes a member away.
fn json_merge(target: &mut Value, patch: &Value) {
    overlay(target, patch);
    strip_nulls(target);
}

fn overlay(target: &mut Value, patch: &Value) {
    match (target.as_object_mut(), patch.as_object()) {
        (Some(members), Some(patch)) => {
            for (key, value) in patch {
                overlay(members.entry(key.clone()).or_insert_with(|| json!({})), value);
            }
        }
        _ => *target = patch.clone(),
    }
}

fn strip_nulls(value: &mut Value) {
    if let Some(members) = value.as_object_mut() {
        members.retain(|_, member| !member.is_null());
        members.values_mut().for_each(strip_nulls);
    }
}

#[test]
fn two_clean_lives_on_one_hardware_break_no_rule() {
    let mut play = Play::new();
    play.provision("a", "hw1", "10.0.0.100");
    play.provision("b", "hw2", "10.0.0.101");
    play.address("admin", "hw2", Value::Null);
    play.address(MANAGER, "hw2", ip("10.0.0.101"));
    play.terminate("tinkerbellmachines", "a");
    play.power("hw1", false);
    play.release_patch("hw1");
    play.remove("provider", "ipaddresses", "a-0");
    play.remove(MANAGER, "ipaddressclaims", "a-0");
    play.remove(MANAGER, "tinkerbellmachines", "a");
    play.put("admin", "tinkerbellmachines", "c", json!({"metadata": {"uid": "uid-c"}, "spec": {"ipamPoolRef": {}}}));
    play.provision("c", "hw1", "10.0.0.100");
    assert_eq!(play.observer.violations().iter().map(ToString::to_string).collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn an_address_that_is_freed_under_a_running_server_is_found() {
    let mut play = Play::new();
    play.provision("a", "hw1", "10.0.0.100");
    play.remove("provider", "ipaddresses", "a-0");
    assert_eq!(play.rules(), [Rule::AddressFreeInUse]);
    let violation = play.observer.violations().remove(0).to_string();
    for part in ["10.0.0.100", "ns/hw1", "provider", "ipaddresses ns/a-0", "write 13"] {
        assert!(violation.contains(part), "{part} in {violation}");
    }
}

#[test]
fn a_server_that_is_switched_on_with_a_free_address_is_found() {
    let mut play = Play::new();
    play.provision("a", "hw1", "10.0.0.100");
    play.power("hw1", false);
    play.remove("provider", "ipaddresses", "a-0");
    assert_eq!(play.rules(), []);
    play.power("hw1", true);
    assert_eq!(play.rules(), [Rule::AddressFreeInUse]);
}

#[test]
fn an_address_that_another_pool_holds_does_not_count_as_held() {
    let mut play = Play::new();
    play.provision("a", "hw1", "10.0.0.100");
    let spec =
        json!({"address": "10.0.0.100", "claimRef": {"name": "x"}, "poolRef": {"kind": "IPPool", "name": "other"}});
    play.put("provider", "ipaddresses", "x", json!({"spec": spec}));
    play.remove("provider", "ipaddresses", "a-0");
    assert_eq!(play.rules(), [Rule::AddressFreeInUse]);
}

#[test]
fn a_release_while_the_server_runs_is_found() {
    let mut play = Play::new();
    play.provision("a", "hw1", "10.0.0.100");
    play.terminate("tinkerbellmachines", "a");
    play.release_patch("hw1");
    assert_eq!(play.rules(), [Rule::AddressFreeInUse, Rule::Leftovers]);
}

#[test]
fn who_deletes_the_namespace_of_a_server_gives_it_up_himself() {
    let ending = |namespace: &str| {
        let mut play = Play::new();
        play.provision("a", "hw1", "10.0.0.100");
        let ends = json!({"metadata": {"name": namespace, "deletionTimestamp": "2026-01-01T00:00:00Z"}});
        let write = Write {
            sequence: 99,
            user: "admin",
            verb: "delete",
            group: "",
            resource: "namespaces",
            namespace: "",
            name: namespace,
            old: None,
            new: Some(&ends),
        };
        play.observer.see(&write);
        play.terminate("tinkerbellmachines", "a");
        play.remove("provider", "ipaddresses", "a-0");
        play.release_patch("hw1");
        play.rules()
    };
    assert_eq!(ending("ns"), []);
    assert!(!ending("another").is_empty());
}

#[test]
fn one_address_on_two_hardware_is_found() {
    let mut play = Play::new();
    play.provision("a", "hw1", "10.0.0.100");
    play.reserve("hw2", "b");
    play.bind("b", "10.0.0.100");
    play.address(MANAGER, "hw2", ip("10.0.0.100"));
    assert_eq!(play.rules(), [Rule::AddressTwice]);
}

#[test]
fn hardware_that_goes_from_one_machine_to_another_is_found() {
    let mut play = Play::new();
    play.reserve("hw1", "a");
    play.put(MANAGER, "hardware", "hw1", labels(Some("b")));
    assert_eq!(play.rules(), [Rule::HardwareShared]);
}

#[test]
fn hardware_that_is_taken_from_a_machine_that_lives_is_found() {
    let mut play = Play::new();
    play.reserve("hw1", "a");
    play.put(MANAGER, "hardware", "hw1", labels(None));
    assert_eq!(play.rules(), [Rule::HardwareShared]);
}

#[test]
fn a_machine_that_takes_the_hardware_of_another_is_found() {
    let mut play = Play::new();
    play.reserve("hw1", "a");
    play.put(MANAGER, "tinkerbellmachines", "b", json!({"spec": {"hardwareName": "hw1"}}));
    assert_eq!(play.rules(), [Rule::HardwareShared]);
}

#[test]
fn a_claim_that_goes_to_another_machine_is_found_and_one_of_a_dead_machine_is_not() {
    let owner = |uid: &str| json!({"metadata": {"ownerReferences": [{"controller": true, "uid": uid}]}});
    let mut play = Play::new();
    play.put(MANAGER, "ipaddressclaims", "a-0", owner("uid-dead"));
    play.put(MANAGER, "ipaddressclaims", "a-0", owner("uid-a"));
    assert_eq!(play.rules(), []);
    play.put(MANAGER, "ipaddressclaims", "a-0", owner("uid-b"));
    assert_eq!(play.rules(), [Rule::ClaimShared]);
}

#[test]
fn terminating_hardware_that_is_reserved_is_found() {
    let mut play = Play::new();
    play.terminate("hardware", "hw1");
    play.reserve("hw1", "a");
    assert_eq!(play.rules(), [Rule::WrongObject]);
}

#[test]
fn a_terminating_claim_that_is_adopted_is_found() {
    let mut play = Play::new();
    play.put(MANAGER, "ipaddressclaims", "a-0", json!({"spec": {}}));
    play.terminate("ipaddressclaims", "a-0");
    let owner = json!([{"controller": true, "uid": "uid-a"}]);
    play.put(MANAGER, "ipaddressclaims", "a-0", json!({"metadata": {"ownerReferences": owner}}));
    assert_eq!(play.rules(), [Rule::WrongObject]);
}

#[test]
fn an_address_of_a_terminating_lease_or_claim_is_found() {
    for resource in ["ipaddresses", "ipaddressclaims"] {
        let mut play = Play::new();
        play.reserve("hw1", "a");
        play.bind("a", "10.0.0.100");
        play.terminate(resource, "a-0");
        play.address(MANAGER, "hw1", ip("10.0.0.100"));
        assert_eq!(play.rules(), [Rule::WrongObject], "{resource}");
    }
}

#[test]
fn an_address_of_another_machines_claim_or_of_no_lease_at_all_is_found() {
    let mut play = Play::new();
    play.reserve("hw1", "a");
    play.bind("b", "10.0.0.101");
    play.address(MANAGER, "hw1", ip("10.0.0.101"));
    assert_eq!(play.rules(), [Rule::WrongObject]);
    play.address(MANAGER, "hw1", ip("10.0.0.150"));
    assert_eq!(play.rules(), [Rule::WrongObject, Rule::WrongObject]);
}

#[test]
fn a_manual_address_that_the_manager_replaces_or_removes_is_found_and_one_that_a_person_changes_is_not() {
    let mut play = Play::new();
    play.address("admin", "hw1", ip("192.168.1.5"));
    play.address("admin", "hw1", ip("192.168.1.6"));
    play.reserve("hw1", "a");
    assert_eq!(play.rules(), []);
    play.address(MANAGER, "hw1", Value::Null);
    assert_eq!(play.rules(), [Rule::ManualAddress]);

    let mut play = Play::new();
    play.address("admin", "hw1", ip("192.168.1.5"));
    play.reserve("hw1", "a");
    play.bind("a", "10.0.0.100");
    play.address(MANAGER, "hw1", ip("10.0.0.100"));
    assert_eq!(play.rules(), [Rule::ManualAddress]);
}

#[test]
fn what_a_person_put_in_place_of_the_managers_address_is_theirs() {
    let mut play = Play::new();
    play.reserve("hw1", "a");
    play.bind("a", "10.0.0.100");
    play.address(MANAGER, "hw1", ip("10.0.0.100"));
    play.address("admin", "hw1", ip("192.168.1.5"));
    play.address(MANAGER, "hw1", ip("10.0.0.100"));
    assert_eq!(play.rules(), [Rule::ManualAddress]);
}

#[test]
fn the_managers_address_that_a_person_changed_and_set_back_is_the_managers_again() {
    let mut play = Play::new();
    play.provision("a", "hw1", "10.0.0.100");
    play.address("admin", "hw1", ip("192.168.1.5"));
    play.address("admin", "hw1", ip("10.0.0.100"));
    play.power("hw1", false);
    play.address(MANAGER, "hw1", Value::Null);
    assert!(!play.rules().contains(&Rule::ManualAddress), "{:?}", play.rules());
}

#[test]
fn a_release_of_hardware_whose_labels_were_stripped_is_no_change_of_its_address() {
    let mut play = Play::new();
    play.provision("a", "hw1", "10.0.0.100");
    let finalizer = |all: Value| json!({"metadata": {"finalizers": all}});
    let ours = json!(["infrastructure.cluster.x-k8s.io/tinkerbellmachine"]);
    play.put(MANAGER, "hardware", "hw1", finalizer(ours));
    play.put("person", "hardware", "hw1", labels(None));
    play.terminate("tinkerbellmachines", "a");
    play.power("hw1", false);
    play.release_patch_leaving("hw1", &finalizer(Value::Null));
    assert_eq!(play.rules(), []);
}

#[test]
fn a_changed_address_of_provisioned_hardware_is_found_and_a_restored_one_is_not() {
    let mut play = Play::new();
    play.provision("a", "hw1", "10.0.0.100");
    play.address("admin", "hw1", Value::Null);
    play.address(MANAGER, "hw1", ip("10.0.0.100"));
    assert_eq!(play.rules(), []);
    play.power("hw1", false);
    play.address("admin", "hw1", Value::Null);
    play.address(MANAGER, "hw1", json!({"address": "10.0.0.100", "netmask": "255.0.0.0"}));
    assert_eq!(play.rules(), [Rule::ProvisionedAddress], "put back, but not exactly");
    play.address(MANAGER, "hw1", Value::Null);
    assert_eq!(play.rules().len(), 2, "taken off");
}

#[test]
fn a_boot_before_the_address_is_found() {
    let mut play = Play::new();
    play.reserve("hw1", "a");
    play.bind("a", "10.0.0.100");
    play.boot("a");
    assert_eq!(play.rules(), [Rule::BootWithoutAddress, Rule::BootWithoutAddress]);
}

#[test]
fn whatever_is_left_on_released_hardware_is_found() {
    let leftovers = [
        json!({"spec": {"userData": "#cloud-config"}}),
        provisioned(json!("true")),
        json!({"metadata": {"annotations": {"capt.tinkerbell.org/ipam-reservation": "[]"}}}),
        json!({"spec": {"interfaces": [{"dhcp": {"mac": "02:hw1", "ip": ip("10.0.0.100")}}]}}),
    ];
    for left in leftovers {
        let mut play = Play::new();
        play.provision("a", "hw1", "10.0.0.100");
        play.power("hw1", false);
        play.terminate("tinkerbellmachines", "a");
        play.release_patch_leaving("hw1", &left);
        assert_eq!(play.rules(), [Rule::Leftovers], "{left}");
    }
}

#[test]
fn a_hardware_whose_labels_were_stripped_is_not_free_for_another_machine() {
    let mut play = Play::new();
    play.provision("a", "hw1", "10.0.0.100");
    play.put("person", "hardware", "hw1", labels(None));
    assert_eq!(play.rules(), []);
    play.put(MANAGER, "hardware", "hw1", labels(Some("b")));
    assert_eq!(play.rules(), [Rule::HardwareShared]);
}

#[test]
fn a_hardware_that_was_made_anew_is_not_free_while_a_machine_has_its_server() {
    let mut play = Play::new();
    play.provision("a", "hw1", "10.0.0.100");
    play.remove("person", "hardware", "hw1");
    play.put("person", "hardware", "hw1", json!({"spec": {"bmcRef": {"name": "hw1"}}}));
    play.put(MANAGER, "hardware", "hw1", labels(Some("b")));
    assert_eq!(play.rules(), [Rule::HardwareShared]);
}

#[test]
fn an_address_is_in_use_while_its_server_runs_although_the_hardware_was_made_anew() {
    let mut play = Play::new();
    play.provision("a", "hw1", "10.0.0.100");
    play.remove("person", "hardware", "hw1");
    play.put("person", "hardware", "hw1", json!({"spec": {"bmcRef": {"name": "hw1"}}}));
    play.remove("provider", "ipaddresses", "a-0");
    assert_eq!(play.rules(), [Rule::AddressFreeInUse]);
}

#[test]
fn a_server_is_switched_on_for_nobody_but_a_machine_that_has_it() {
    let mut play = Play::new();
    play.provision("a", "hw1", "10.0.0.100");
    play.terminate("tinkerbellmachines", "a");
    play.power("hw1", false);
    play.release_patch("hw1");
    play.power("hw1", true);
    assert_eq!(play.rules(), [Rule::OnAfterRelease]);
}

#[test]
fn a_machine_that_was_ready_is_installed_again_only_when_a_person_asks_for_it() {
    let mut play = Play::new();
    play.provision("a", "hw1", "10.0.0.100");
    play.put(MANAGER, "tinkerbellmachines", "a", json!({"status": {"ready": true}}));
    let remove = |play: &mut Play| {
        play.remove("person", "workflows", "a");
        play.remove("person", "templates", "a");
    };
    remove(&mut play);
    play.boot("a");
    assert_eq!(play.rules(), [Rule::InstalledAgain]);
    let asked = json!({"metadata": {"annotations": {"capt.tinkerbell.org/reinstall": "true"}}});
    play.put("person", "tinkerbellmachines", "a", asked);
    remove(&mut play);
    play.boot("a");
    assert_eq!(play.rules().len(), 1);
}

#[test]
fn a_server_that_a_person_lets_go_may_run_on() {
    let mut play = Play::new();
    play.provision("a", "hw1", "10.0.0.100");
    let asked = json!({"metadata": {"annotations": {"capt.tinkerbell.org/release-without-power-off": "true"}}});
    play.put("person", "tinkerbellmachines", "a", asked);
    play.terminate("tinkerbellmachines", "a");
    play.release_patch("hw1");
    play.remove("provider", "ipaddresses", "a-0");
    play.power("hw1", false);
    play.power("hw1", true);
    assert_eq!(play.rules(), []);
}

#[test]
fn what_a_replaced_manifest_wiped_may_be_put_back_exactly_as_it_was() {
    for (again, expected) in [("10.0.0.100", vec![]), ("10.0.0.101", vec![Rule::ProvisionedAddress])] {
        let mut play = Play::new();
        play.provision("a", "hw1", "10.0.0.100");
        let mut manifest = labels(None);
        overlay(&mut manifest, &provisioned(Value::Null));
        overlay(&mut manifest, &json!({"spec": {"interfaces": [{"dhcp": {"mac": "02:hw1"}}]}}));
        play.put("person", "hardware", "hw1", manifest);
        let mut mark = labels(Some("a"));
        overlay(&mut mark, &provisioned(json!("true")));
        play.put(MANAGER, "hardware", "hw1", mark);
        if again != "10.0.0.100" {
            play.bind("a", again);
        }
        play.address(MANAGER, "hw1", ip(again));
        let found: Vec<Rule> = play.rules().into_iter().filter(|rule| *rule == Rule::ProvisionedAddress).collect();
        assert_eq!(found, expected);
    }
}
