//! Nothing is silent, and what the status says is what is.

use capt_reconciler::machine::report::news;
use capt_reconciler::machine::step::Step;
use capt_reconciler::ports::{AddressUse, BootstrapData, BootstrapSecret, Presence};
use serde_json::{Value, json};

use crate::scene::{Scene, body, now, pool, report, wait, write};

fn ready(scene: Scene) -> Scene {
    scene.with(|s| {
        let status = json!({"status": {"ready": true, "addresses": [{"type": "InternalIP", "address": "10.0.0.5"}],
            "conditions": [{"type": "Ready", "status": "True", "reason": "Ready", "message": "", "lastTransitionTime": "2026-01-01T11:00:00Z"}]}});
        s.change("TinkerbellMachine", "default/m", status);
        s.change("Hardware", "metal/hw-1", json!({"metadata": {"annotations": {"capt.tinkerbell.org/machine-uid": "m-uid"}}}));
        s.change("Hardware", "metal/hw-1", json!({"spec": {"interfaces": [
            {"netboot": {"allowPXE": false}, "dhcp": {"mac": "00:00:00:00:00:01",
                "ip": {"address": "10.0.0.5", "netmask": "255.255.255.0", "gateway": "10.0.0.1", "family": 4}}}]}}));
    })
}

fn other_hardware() -> AddressUse {
    AddressUse { kind: "Hardware", key: capt_api::meta::ObjectKey::new("metal", "hw-2"), role: "address" }
}

fn stale_claim(scene: &mut Scene, deleted: bool) {
    let owner = json!([{"apiVersion": "infrastructure.cluster.x-k8s.io/v1beta1", "kind": "TinkerbellMachine", "name": "m", "uid": "dead", "controller": true}]);
    scene.change("IPAddressClaim", "default/m-0", json!({"metadata": {"ownerReferences": owner}}));
    if deleted {
        scene.change(
            "IPAddressClaim",
            "default/m-0",
            json!({"metadata": {"deletionTimestamp": "2026-01-01T11:59:59Z"}}),
        );
    }
}

#[test]
fn a_machine_without_a_pool_does_not_wait_for_claims_that_cannot_be_listed() {
    let gone = |scene: Scene| {
        scene.deleting().with(|s| {
            s.ipam = Presence::Syncing;
            s.remove("Hardware", "metal/hw-1");
        })
    };
    let step = gone(Scene::new().reserved().without_pool()).step();
    assert!(matches!(step, Step::Do(write) if write.stage.as_str() == "finish"));
    assert_eq!(wait(&gone(Scene::new().reserved())).0, "WaitingForAddressRelease");
}

#[test]
fn a_claim_of_an_earlier_machine_of_this_name_is_let_go_and_not_waited_for() {
    let scene = Scene::new().fulfilled().with(|s| stale_claim(s, true));
    let release = write(&scene);
    assert_eq!(body(&release)["metadata"]["finalizers"], json!(["ipam.cluster.x-k8s.io/ReleaseAddress"]));
}

#[test]
fn a_claim_whose_address_a_server_still_carries_is_kept_and_told() {
    let scene = Scene::new().fulfilled().with(|s| {
        stale_claim(s, true);
        s.users = vec![other_hardware()];
    });
    let (reason, words) = wait(&scene);
    assert_eq!(reason, "ClaimTerminating");
    assert!(words.contains("metal/hw-2") && words.contains("10.0.0.5"), "{words}");
}

#[test]
fn a_claim_in_use_whose_owner_a_restore_made_stale_gets_one_controller() {
    let scene = ready(Scene::new().provisioned()).with(|s| stale_claim(s, false));
    let owners = body(&write(&scene))["metadata"]["ownerReferences"].clone();
    assert_eq!(owners.as_array().map(Vec::len), Some(1), "{owners}");
    assert_eq!(owners[0]["uid"], "m-uid");
}

#[test]
fn an_address_that_another_hardware_carries_by_now_is_told_and_not_put_back_for_ever() {
    let scene = ready(Scene::new().provisioned()).with(|s| {
        s.set_ip(Value::Null);
        s.users = vec![other_hardware()];
    });
    assert!(matches!(scene.step(), Step::Done), "{:?}", scene.step());
    assert!(scene.conditions().contains(&"IPAddressClaimsFulfilled: False AddressDuplicate".to_owned()));
}

#[test]
fn the_status_keeps_the_address_that_the_server_was_installed_with() {
    for (scene, condition) in [
        (ready(Scene::new().provisioned()), "IPAddressClaimsFulfilled: False HardwareAddressConflict"),
        (ready(Scene::new().provisioned().without_pool()), "HardwareReserved: True HardwareEdited"),
    ] {
        let scene = scene.with(|s| {
            s.set_ip(json!({"address": "10.9.9.9", "netmask": "255.255.255.0"}));
        });
        let status = report(&scene.world(), &scene.step(), now());
        assert_eq!(status.addresses[0].address, "10.0.0.5", "{condition}");
        assert!(scene.conditions().contains(&condition.to_owned()), "{condition}: {:?}", scene.conditions());
    }
}

#[test]
fn a_manifest_that_lets_an_installed_server_boot_from_the_network_again_is_told() {
    let quiet = ready(Scene::new().provisioned());
    assert!(quiet.conditions().contains(&"HardwareReserved: True Reserved".to_owned()), "{:?}", quiet.conditions());
    let scene = quiet.with(|s| {
        let mut hardware = s.objects[&("Hardware", "metal/hw-1".to_owned())].clone();
        hardware["spec"]["interfaces"][0]["netboot"]["allowPXE"] = json!(true);
        s.put("Hardware", hardware);
    });
    assert!(
        scene.conditions().contains(&"HardwareReserved: True NetbootAllowed".to_owned()),
        "{:?}",
        scene.conditions()
    );
    assert!(matches!(scene.step(), Step::Done), "told, and not fought over");
    let (world, step) = (scene.world(), scene.step());
    let before = world.machine.status.clone().unwrap_or_default();
    let told = news(&before, &report(&world, &step, now()), &step);
    assert!(told.iter().any(|notice| notice.warning && notice.reason == "NetbootAllowed"), "{told:?}");
}

#[test]
fn a_paused_machine_shows_it_where_people_look() {
    let pause = |s: &mut Scene| {
        s.change("Cluster", "default/c", json!({"spec": {"paused": true}}));
    };
    assert!(Scene::new().with(pause).conditions().contains(&"Ready: False Paused".to_owned()));
    assert!(ready(Scene::new().provisioned()).with(pause).conditions().contains(&"Ready: True Paused".to_owned()));
}

#[test]
fn bootstrap_data_that_cannot_be_used_is_named_for_what_it_is() {
    let data = |text: String| BootstrapSecret::Found(BootstrapData::new(text));
    let table = [
        (BootstrapSecret::NotText("zstd data (7 bytes)".to_owned()), "zstd data"),
        (BootstrapSecret::TooLarge(9), "more than 9 bytes"),
        (data("\n".repeat(900_000)), "900000 bytes"),
    ];
    for (secret, words) in table {
        let scene = Scene::new().adopted().with(|s| s.pass.bootstrap = Some(secret));
        let Step::Wait(wait) = scene.step() else { panic!("{words}: {:?}", scene.step()) };
        assert_eq!(wait.reason.as_str(), "BootstrapDataInvalid");
        assert!(wait.message.contains(words), "{}", wait.message);
        assert!(wait.requeue.is_some_and(|pause| pause.as_secs() >= 30), "{words}: the Secret is read again too soon");
    }
}

#[test]
fn a_node_that_can_never_match_is_told_and_its_server_installed_all_the_same() {
    let with = |text: &str| {
        let secret = BootstrapSecret::Found(BootstrapData::new(text.to_owned()));
        write(&Scene::new().adopted().with(|s| s.pass.bootstrap = Some(secret)))
    };
    let warnings = |text: &str| -> Vec<_> { with(text).notices.into_iter().filter(|notice| notice.warning).collect() };
    let warning = warnings("join").pop().unwrap();
    assert!(warning.warning && warning.message.contains("tinkerbell://metal/hw-1"), "{}", warning.message);
    assert_eq!(warnings("join PROVIDER_ID"), []);
    assert_eq!(warnings("join tinkerbell://metal/hw-1"), []);
}

#[test]
fn the_agent_is_asked_for_by_the_name_that_its_way_to_boot_gives_it() {
    let device = |mode: Value| {
        let mut scene = Scene::new().addressed();
        scene.change("Hardware", "metal/hw-1", json!({"spec": {"agentID": "rack7-u12"}}));
        scene.change("TinkerbellMachine", "default/m", json!({"spec": {"bootOptions": mode}}));
        let metadata = json!({"namespace": "metal", "name": "m", "uid": "t-uid",
            "labels": {"capt.tinkerbell.org/machine-name": "m", "capt.tinkerbell.org/machine-namespace": "default"},
            "annotations": {"capt.tinkerbell.org/machine-uid": "m-uid"}});
        scene.put("Template", json!({"metadata": metadata, "spec": {"data": "x"}}));
        body(&write(&scene))["spec"]["hardwareMap"]["device_1"].clone()
    };
    assert_eq!(device(Value::Null), "rack7-u12");
    assert_eq!(device(json!({"bootMode": "netboot"})), "rack7-u12");
    assert_eq!(device(json!({"bootMode": "iso", "isoURL": "http://192.0.2.1/a/hook.iso"})), "00:00:00:00:00:01");
}

#[test]
fn a_version_is_asked_for_only_where_the_text_needs_it() {
    let scene = |spec: Value| {
        Scene::new().with(|s| {
            s.change("Machine", "default/owner", json!({"spec": {"version": null}}));
            s.change("TinkerbellMachine", "default/m", json!({ "spec": spec }));
        })
    };
    assert_eq!(wait(&scene(json!({}))).0, "MachineInvalid");
    for spec in [json!({"templateOverride": "own"}), json!({"imageLookupFormat": "http://192.0.2.9/talos.raw"})] {
        assert!(matches!(scene(spec.clone()).step(), Step::Do(_)), "{spec}");
    }
}

#[test]
fn an_address_that_the_pool_gives_out_on_purpose_is_taken_and_any_other_refusal_names_the_pools_field() {
    let network = |s: &mut Scene| {
        s.change("IPAddress", "default/m-0", json!({"spec": {"address": "10.0.0.0"}}));
    };
    let refused = Scene::new().fulfilled().with(network);
    let (reason, words) = wait(&refused);
    assert_eq!(reason, "AddressInvalid");
    assert!(words.contains("spec.excludedAddresses") && words.contains("pool"), "{words}");
    let allowed = refused.with(|s| s.pool = pool(json!({"spec": {"allocateReservedIPAddresses": true}})));
    assert_eq!(write(&allowed).stage.as_str(), "address");
    let prefix = Scene::new().fulfilled().with(|s| {
        s.change("IPAddress", "default/m-0", json!({"spec": {"prefix": 0}}));
    });
    assert!(wait(&prefix).1.contains("spec.prefix of InClusterIPPool"), "{}", wait(&prefix).1);
}

#[test]
fn a_server_with_an_address_from_elsewhere_is_taken_where_its_owner_says_so() {
    let scene = Scene::new().adopted().without_pool();
    assert_eq!(wait(&scene).0, "HardwareUnfit");
    let told = scene.with(|s| {
        let note = json!({"metadata": {"annotations": {"capt.tinkerbell.org/external-address": "true"}}});
        s.change("Hardware", "metal/hw-1", note);
    });
    assert_eq!(write(&told).stage.as_str(), "reserve");
}
