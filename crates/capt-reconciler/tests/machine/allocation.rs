//! Claims and addresses: every reason to wait, every rule about what is written and what stays.

use capt_reconciler::effect::{Hold, Stage};
use capt_reconciler::machine::step::Step;
use capt_reconciler::ports::{AddressUse, PoolView, Presence};
use serde_json::{Value, json};

use crate::scene::{Scene, body, pool, wait, write};

#[test]
fn the_claim_carries_all_that_providers_and_a_later_release_need() {
    let claim = write(&Scene::new().reserved());
    assert_eq!(claim.key.to_string(), "default/m-0");
    let body = body(&claim);
    assert_eq!(
        body["spec"],
        json!({"poolRef": {"apiGroup": "ipam.cluster.x-k8s.io", "kind": "InClusterIPPool", "name": "pool"}, "clusterName": "c"})
    );
    let metadata = &body["metadata"];
    assert_eq!(metadata["labels"]["cluster.x-k8s.io/cluster-name"], "c");
    assert_eq!(metadata["finalizers"], json!(["tinkerbellmachine.infrastructure.cluster.x-k8s.io/ipam-claim"]));
    assert_eq!(metadata["annotations"]["capt.tinkerbell.org/mac-address"], "00:00:00:00:00:01");
    assert_eq!(metadata["annotations"]["capt.tinkerbell.org/hardware-name"], "hw-1");
    let owner = &metadata["ownerReferences"][0];
    assert_eq!(
        (&owner["uid"], &owner["controller"], &owner["blockOwnerDeletion"]),
        (&json!("m-uid"), &json!(true), &json!(true))
    );
}

#[test]
fn a_claim_that_lost_owner_label_or_finalizer_gets_them_back() {
    for (loss, member) in [
        (json!({"metadata": {"ownerReferences": null}}), "ownerReferences"),
        (json!({"metadata": {"labels": null}}), "labels"),
        (json!({"metadata": {"finalizers": ["ipam.cluster.x-k8s.io/ReleaseAddress"]}}), "finalizers"),
    ] {
        let scene = Scene::new().fulfilled().with(|s| {
            s.change("IPAddressClaim", "default/m-0", loss);
        });
        let mend = write(&scene);
        assert_eq!(mend.stage, Stage::Claim);
        assert!(body(&mend)["metadata"].get(member).is_some(), "{member}");
    }
}

#[test]
fn the_address_is_written_whole_with_its_record_and_only_to_the_interface_and_version_we_know() {
    let place = write(&Scene::new().fulfilled());
    let operations = body(&place);
    assert_eq!(operations[0], json!({"op": "replace", "path": "/metadata/resourceVersion", "value": "3"}));
    assert_eq!(
        operations[1],
        json!({"op": "test", "path": "/spec/interfaces/0/dhcp/mac", "value": "00:00:00:00:00:01"})
    );
    assert_eq!(
        operations[2]["value"],
        json!({"address": "10.0.0.5", "netmask": "255.255.255.0", "gateway": "10.0.0.1", "family": 4})
    );
    let record: Value = serde_json::from_str(operations[3]["value"].as_str().unwrap()).unwrap();
    assert_eq!(record[0]["claimUID"], "claim-uid");
    assert_eq!(record[0]["machineUID"], "m-uid");
    assert_eq!(record[0]["address"], "10.0.0.5");
    assert_eq!(place.hold, Some(Hold::Address("10.0.0.5".parse().unwrap())));
}

#[test]
fn the_interface_is_found_by_the_recorded_mac_whatever_its_index() {
    let scene = Scene::new().fulfilled().with(|s| {
        s.change("Hardware", "metal/hw-1", json!({"spec": {"interfaces": [{"dhcp": {"mac": "00:00:00:00:00:02"}}, {"dhcp": {"mac": "00:00:00:00:00:01"}}]}}));
    });
    assert_eq!(body(&write(&scene))[2]["path"], "/spec/interfaces/1/dhcp/ip");
    let lost = scene.with(|s| {
        s.change("Hardware", "metal/hw-1", json!({"spec": {"interfaces": [{"dhcp": {"mac": "00:00:00:00:00:02"}}]}}));
    });
    assert_eq!(wait(&lost).0, "InterfaceNotFound");
}

#[test]
fn the_annotated_gateway_is_used_only_where_the_provider_gives_none() {
    let annotate = |s: &mut Scene| {
        s.change(
            "TinkerbellMachine",
            "default/m",
            json!({"metadata": {"annotations": {"capt.tinkerbell.org/ipam-gateway": "10.0.0.254"}}}),
        );
    };
    assert_eq!(body(&write(&Scene::new().fulfilled().with(annotate)))[2]["value"]["gateway"], "10.0.0.1");
    let none = Scene::new().fulfilled().with(|s| {
        s.change("IPAddress", "default/m-0", json!({"spec": {"gateway": null}}));
    });
    let without = write(&none);
    assert_eq!(body(&without)[2]["value"].get("gateway"), None);
    assert_eq!(without.notices.first().unwrap().reason, "GatewayUnknown");
    assert_eq!(body(&write(&none.with(annotate)))[2]["value"]["gateway"], "10.0.0.254");
}

#[test]
fn every_reason_to_wait_for_an_address_is_told_with_names() {
    type Change = Box<dyn Fn(&mut Scene)>;
    let claim = |patch: Value| -> Change {
        Box::new(move |s| {
            s.change("IPAddressClaim", "default/m-0", patch.clone());
        })
    };
    let address = |patch: Value| -> Change {
        Box::new(move |s| {
            s.change("IPAddressClaim", "default/m-0", json!({"status": {"addressRef": {"name": "m-0"}}}));
            s.objects.extend(Scene::new().fulfilled().objects.into_iter().filter(|((k, _), _)| *k == "IPAddress"));
            s.change("IPAddress", "default/m-0", patch.clone());
        })
    };
    let ready = |reason: &str, message: &str| json!({"status": {"conditions": [{"type": "Ready", "status": "False", "reason": reason, "message": message}]}});
    let cases: Vec<(&str, &str, Change)> = vec![
        ("WaitingForIPAddress", "m-0", Box::new(|_| {})),
        ("WaitingForIPAddress", "full moon", claim(ready("Moon", "full moon"))),
        ("WaitingForIPAddress", "0/1", claim(json!({"status": {"addressRef": {"name": "m-0"}}}))),
        ("WaitingForIPAddress", "0/1", claim(json!({"status": {"addressRef": {"name": ""}}}))),
        ("AllocationFailed", "their words", claim(ready("AllocationFailed", "their words"))),
        ("PoolNotReady", "their words", claim(ready("PoolNotReady", "their words"))),
        ("PoolExhausted", "their words", claim(ready("PoolExhausted", "their words"))),
        (
            "PoolExhausted",
            "their words",
            claim(json!({"status": {"deprecated": {"v1beta1": ready("PoolExhausted", "their words")["status"]}}})),
        ),
        (
            "PoolExhausted",
            "their words",
            claim(json!({"status": {"v1beta2": ready("PoolExhausted", "their words")["status"]}})),
        ),
        (
            "PoolExhausted",
            "3 of 3",
            Box::new(|s| s.pool = pool(json!({"status": {"ipAddresses": {"free": 0, "total": 3, "used": 3}}}))),
        ),
        (
            "PoolPaused",
            "pool",
            Box::new(|s| s.pool = pool(json!({"metadata": {"annotations": {"cluster.x-k8s.io/paused": ""}}}))),
        ),
        ("PoolNotFound", "pool", Box::new(|s| s.pool = PoolView::NotFound)),
        ("PoolKindNotServed", "InClusterIPPool", Box::new(|s| s.pool = PoolView::KindNotServed)),
        (
            "IPAMNotInstalled",
            "ipam.cluster.x-k8s.io",
            Box::new(|s| {
                s.ipam = Presence::Absent;
                s.remove("IPAddressClaim", "default/m-0");
            }),
        ),
        (
            "NoProviderResponded",
            "m-0",
            claim(
                json!({"metadata": {"creationTimestamp": "2026-01-01T11:50:00Z", "finalizers": ["tinkerbellmachine.infrastructure.cluster.x-k8s.io/ipam-claim"]}}),
            ),
        ),
        (
            "ClaimTerminating",
            "ReleaseAddress",
            claim(
                json!({"metadata": {"deletionTimestamp": "2026-01-01T11:59:59Z", "finalizers": ["ipam.cluster.x-k8s.io/ReleaseAddress"]}}),
            ),
        ),
        (
            "ClaimConflict",
            "UID other",
            claim(
                json!({"metadata": {"ownerReferences": [{"apiVersion": "x/v1", "kind": "TinkerbellMachine", "name": "m", "uid": "other", "controller": true}]}}),
            ),
        ),
        ("ClaimConflict", "elsewhere", claim(json!({"spec": {"poolRef": {"name": "elsewhere"}}}))),
        ("ClaimConflict", "someone", address(json!({"spec": {"claimRef": {"name": "someone"}}}))),
        ("ClaimConflict", "elsewhere", address(json!({"spec": {"poolRef": {"name": "elsewhere"}}}))),
        ("ClaimConflict", "being deleted", address(json!({"metadata": {"deletionTimestamp": "2026-01-01T11:59:59Z"}}))),
        (
            "ClaimConflict",
            "earlier",
            address(
                json!({"metadata": {"ownerReferences": [{"apiVersion": "ipam.cluster.x-k8s.io/v1beta2", "kind": "IPAddressClaim", "name": "m-0", "uid": "dead", "controller": true}]}}),
            ),
        ),
        ("AddressInvalid", "spec.address", address(json!({"spec": {"address": "10.0.0.5/24"}}))),
        ("AddressInvalid", "spec.prefix", address(json!({"spec": {"prefix": 0}}))),
        ("AddressInvalid", "spec.prefix", address(json!({"spec": {"prefix": null}}))),
        ("AddressInvalid", "spec.gateway", address(json!({"spec": {"gateway": "fd00::1"}}))),
        ("AddressInvalid", "IPv6", address(json!({"spec": {"address": "fd00::5", "prefix": 64, "gateway": null}}))),
        (
            "AddressDuplicate",
            "metal/hw-9",
            Box::new(move |s| {
                s.objects.extend(Scene::new().fulfilled().objects);
                s.users = vec![AddressUse {
                    kind: "Hardware",
                    key: capt_api::meta::ObjectKey::new("metal", "hw-9"),
                    role: "address",
                }];
            }),
        ),
        (
            "HardwareAddressConflict",
            "192.168.1.5",
            Box::new(|s| {
                s.objects.extend(Scene::new().fulfilled().objects);
                s.set_ip(json!({"address": "192.168.1.5"}));
            }),
        ),
    ];
    for (reason, words, change) in cases {
        let scene = Scene::new().claimed().with(|s| change(s)).reserved();
        let (found, message) = wait(&scene);
        assert_eq!(found, reason, "{message}");
        assert!(message.contains(words), "{reason}: {message}");
        assert!(
            scene.conditions().contains(&format!("IPAddressClaimsFulfilled: False {reason}")),
            "{:?}",
            scene.conditions()
        );
        assert!(
            scene.conditions().contains(&format!("Ready: False {reason}")),
            "folded into Ready: {:?}",
            scene.conditions()
        );
    }
}

#[test]
fn an_ipv6_address_is_written_without_a_netmask_where_dhcp_is_off() {
    let scene = Scene::new().fulfilled().with(|s| {
        s.change(
            "IPAddress",
            "default/m-0",
            json!({"spec": {"address": "FD00:0::5", "prefix": 64, "gateway": "fd00::1"}}),
        );
        s.change(
            "Hardware",
            "metal/hw-1",
            json!({"spec": {"interfaces": [{"disableDhcp": true, "dhcp": {"mac": "00:00:00:00:00:01"}}]}}),
        );
    });
    assert_eq!(body(&write(&scene))[2]["value"], json!({"address": "fd00::5", "gateway": "fd00::1", "family": 6}));
}

#[test]
fn a_manual_address_is_respected_reported_and_never_claimed_for() {
    let manual = |s: &mut Scene| {
        s.set_ip(json!({"address": "192.168.1.5", "netmask": "255.255.255.0"}));
    };
    let scene = Scene::new().reserved().with(manual);
    assert_eq!(write(&scene).stage, Stage::Boot, "the machine goes on with it");
    let done = scene.with(|s| {
        s.change(
            "Hardware",
            "metal/hw-1",
            json!({"metadata": {"annotations": {"v1alpha1.tinkerbell.org/provisioned": "true"}}}),
        );
    });
    assert!(matches!(done.step(), Step::Done));
    assert!(
        done.conditions().contains(&"IPAddressClaimsFulfilled: True StaticAddress".to_owned()),
        "{:?}",
        done.conditions()
    );
    assert!(done.conditions().contains(&"Ready: True Ready".to_owned()));
}

#[test]
fn a_stale_record_of_another_machine_is_replaced_and_never_taken_for_a_manual_address() {
    let stale = |s: &mut Scene| {
        let record = json!([{"claimNamespace": "default", "claimName": "gone-0", "claimUID": "dead", "machineUID": "dead", "mac": "00:00:00:00:00:01", "address": "10.0.0.77"}]);
        s.change(
            "Hardware",
            "metal/hw-1",
            json!({"metadata": {"annotations": {"capt.tinkerbell.org/ipam-reservation": record.to_string()}}}),
        );
        s.set_ip(json!({"address": "10.0.0.77", "netmask": "255.255.255.0"}));
    };
    assert_eq!(write(&Scene::new().reserved().with(stale)).stage, Stage::Claim, "a claim is made all the same");
    let place = write(&Scene::new().fulfilled().with(stale));
    assert_eq!(place.stage, Stage::Address);
    let record: Value = serde_json::from_str(body(&place)[3]["value"].as_str().unwrap()).unwrap();
    assert_eq!(record.as_array().unwrap().len(), 1, "the dead record goes");
    let (reason, message) = wait(&Scene::new().without_pool().reserved().with(stale));
    assert_eq!(reason, "HardwareUnfit", "{message}");
}

#[test]
fn a_claim_deleted_by_hand_before_the_boot_is_let_go_after_the_address_left_the_hardware() {
    let deleted = json!({"metadata": {"deletionTimestamp": "2026-01-01T11:59:59Z"}});
    let scene = Scene::new().addressed().with(|s| {
        s.change("IPAddressClaim", "default/m-0", deleted);
    });
    let first = write(&scene);
    assert_eq!(first.stage, Stage::Address);
    assert!(body(&first).to_string().contains(r#""op":"remove","path":"/spec/interfaces/0/dhcp/ip""#));
    let second = write(&scene.with(|s| {
        s.set_ip(Value::Null);
        s.change("Hardware", "metal/hw-1", json!({"metadata": {"annotations": null}}));
    }));
    assert_eq!((second.stage, second.key.name.as_str()), (Stage::Claim, "m-0"));
    assert_eq!(
        body(&second)["metadata"]["finalizers"],
        json!(["ipam.cluster.x-k8s.io/ReleaseAddress"]),
        "others' finalizers stay"
    );
}

#[test]
fn a_claim_that_arrives_without_its_status_after_a_move_is_no_trouble_while_its_address_is_there() {
    let scene = Scene::new().provisioned().with(|s| {
        s.change("IPAddressClaim", "default/m-0", json!({"status": null}));
    });
    assert!(matches!(scene.step(), Step::Done), "{:?}", scene.step());
    let told = scene.conditions();
    assert!(told.contains(&"IPAddressClaimsFulfilled: True Fulfilled".to_owned()), "{told:?}");
    let of_another = scene.with(|s| {
        s.change("IPAddress", "default/m-0", json!({"spec": {"claimRef": {"name": "other-0"}}}));
    });
    let told = of_another.conditions();
    assert!(told.contains(&"IPAddressClaimsFulfilled: False AddressReleasedInUse".to_owned()), "{told:?}");
}

#[test]
fn an_address_is_not_written_before_the_claim_names_it() {
    let (reason, message) = wait(&Scene::new().fulfilled().with(|s| {
        s.change("IPAddressClaim", "default/m-0", json!({"status": null}));
    }));
    assert_eq!(reason, "WaitingForIPAddress", "{message}");
}

#[test]
fn trouble_with_the_address_of_a_running_server_is_told_and_never_acted_on() {
    let deleted = json!({"metadata": {"deletionTimestamp": "2026-01-01T11:59:59Z"}});
    let cases: Vec<(&str, Scene)> = vec![
        (
            "AddressReleasedInUse",
            Scene::new().provisioned().with(|s| {
                s.remove("IPAddressClaim", "default/m-0");
            }),
        ),
        (
            "AddressReleasedInUse",
            Scene::new().provisioned().with(|s| {
                s.change("IPAddressClaim", "default/m-0", deleted.clone());
            }),
        ),
        (
            "AddressReleasedInUse",
            Scene::new().provisioned().with(|s| {
                s.remove("IPAddress", "default/m-0");
            }),
        ),
        (
            "AddressReleasedInUse",
            Scene::new().provisioned().with(|s| {
                s.change("IPAddress", "default/m-0", deleted.clone());
            }),
        ),
        (
            "AddressChanged",
            Scene::new().provisioned().with(|s| {
                s.change("IPAddress", "default/m-0", json!({"spec": {"address": "10.0.0.6"}}));
            }),
        ),
        (
            "HardwareAddressConflict",
            Scene::new().provisioned().with(|s| {
                s.set_ip(json!({"address": "192.168.1.5"}));
            }),
        ),
    ];
    for (reason, scene) in cases {
        assert!(matches!(scene.step(), Step::Done), "{reason}: no write, {:?}", scene.step());
        assert!(
            scene.conditions().contains(&format!("IPAddressClaimsFulfilled: False {reason}")),
            "{:?}",
            scene.conditions()
        );
        assert!(scene.conditions().contains(&format!("Ready: False {reason}")), "{:?}", scene.conditions());
    }
}

#[test]
fn only_a_wiped_reservation_is_put_back_and_exactly_as_recorded() {
    let scene = Scene::new().provisioned().with(|s| {
        s.set_ip(Value::Null);
    });
    let restore = write(&scene);
    assert_eq!(restore.stage, Stage::Address);
    assert_eq!(restore.notices.first().unwrap().reason, "AddressRestored");
    assert_eq!(
        body(&restore)[2]["value"],
        json!({"address": "10.0.0.5", "netmask": "255.255.255.0", "gateway": "10.0.0.1", "family": 4})
    );
    let moved = scene.with(|s| {
        s.change("IPAddress", "default/m-0", json!({"spec": {"address": "10.0.0.6"}}));
    });
    assert!(matches!(moved.step(), Step::Done), "the claim holds another address: nothing is written");
}

#[test]
fn after_a_move_the_record_with_dead_uids_still_counts() {
    let scene = Scene::new().provisioned().with(|s| {
        s.change("TinkerbellMachine", "default/m", json!({"metadata": {"uid": "m-new"}}));
        s.change("IPAddressClaim", "default/m-0", json!({"metadata": {"uid": "claim-new", "ownerReferences": [{"apiVersion": "infrastructure.cluster.x-k8s.io/v1beta1", "kind": "TinkerbellMachine", "name": "m", "uid": "m-new", "controller": true, "blockOwnerDeletion": true}]}}));
        s.change("IPAddress", "default/m-0", json!({"metadata": {"ownerReferences": [{"apiVersion": "ipam.cluster.x-k8s.io/v1beta2", "kind": "IPAddressClaim", "name": "m-0", "uid": "claim-new", "controller": true}]}}));
        s.remove("Workflow", "metal/m").remove("Template", "metal/m");
    });
    let uid = write(&scene);
    assert_eq!(uid.stage, Stage::Reserve, "the Hardware gets the new UID");
    let scene = scene.with(|s| {
        s.change("Hardware", "metal/hw-1", body(&uid));
    });
    assert!(matches!(scene.step(), Step::Done), "{:?}", scene.step());
    assert!(scene.conditions().contains(&"IPAddressClaimsFulfilled: True Fulfilled".to_owned()));
    let release = write(
        &scene
            .with(|s| {
                s.change("Hardware", "metal/hw-1", json!({"spec": {"bmcRef": null}}));
            })
            .deleting(),
    );
    assert!(
        body(&release).to_string().contains("/spec/interfaces/0/dhcp/ip"),
        "the address is still found as ours at release"
    );
}

#[test]
fn a_machine_that_waits_for_an_address_in_a_paused_cluster_says_so() {
    let scene = Scene::new().claimed().with(|s| {
        s.change("Cluster", "default/c", json!({"spec": {"paused": true}}));
    });
    assert!(
        scene.conditions().contains(&"IPAddressClaimsFulfilled: False ClusterPaused".to_owned()),
        "{:?}",
        scene.conditions()
    );
}
