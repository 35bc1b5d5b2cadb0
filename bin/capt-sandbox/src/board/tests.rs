use serde_json::json;

use super::*;

fn see(board: &Board, group: &str, resource: &str, name: &str, new: Option<Value>) {
    let old = Value::Null;
    let new = new.as_ref();
    board.see(&Write {
        sequence: 1,
        user: "u",
        verb: "update",
        group,
        resource,
        namespace: "ns",
        name,
        old: Some(&old),
        new,
    });
}

fn machine(board: &Board, name: &str, object: Value) {
    see(board, "infrastructure.cluster.x-k8s.io", "tinkerbellmachines", name, Some(object));
}

fn hardware(board: &Board, name: &str, owner: Value, ip: Value) {
    let labels = json!({"v1alpha1.tinkerbell.org/ownerName": owner, "v1alpha1.tinkerbell.org/ownerNamespace": "ns"});
    let interfaces = json!([{"dhcp": {"ip": ip}}]);
    let object = json!({"metadata": {"labels": labels}, "spec": {"interfaces": interfaces}});
    see(board, "tinkerbell.org", "hardware", name, Some(object));
}

fn stages(board: &Board) -> Vec<Stage> {
    board.take_news().iter().map(|row| row.stage).collect()
}

#[test]
fn a_machine_goes_through_its_stages_as_its_objects_show_them() {
    let board = Board::default();
    hardware(&board, "hw", Value::Null, Value::Null);
    machine(&board, "m", json!({}));
    hardware(&board, "hw", json!("m"), Value::Null);
    machine(&board, "m", json!({"spec": {"providerID": "tinkerbell://ns/hw"}}));
    let ip = json!({"address": "10.0.0.100", "netmask": "255.255.255.0"});
    hardware(&board, "hw", json!("m"), ip);
    let ready = json!({"spec": {"providerID": "tinkerbell://ns/hw"}, "status": {"ready": true}});
    machine(&board, "m", ready.clone());
    assert_eq!(stages(&board), [Stage::Selecting, Stage::Addressing, Stage::Booting, Stage::Provisioned]);
    let address = &board.addresses()[0];
    assert_eq!(
        (address.hardware.as_str(), address.netmask.as_str(), address.gateway.as_str()),
        ("hw", "255.255.255.0", "")
    );
    let mut deleting = ready;
    deleting["metadata"] = json!({"deletionTimestamp": "2026-01-01T00:00:00Z"});
    machine(&board, "m", deleting);
    assert_eq!(
        board.leftovers().to_string(),
        "1 TinkerbellMachines, 1 Hardware that is not free (ns/hw), 1 Hardware with an address (ns/hw)"
    );
    hardware(&board, "hw", Value::Null, Value::Null);
    see(&board, "infrastructure.cluster.x-k8s.io", "tinkerbellmachines", "m", None);
    assert_eq!(stages(&board), [Stage::Releasing, Stage::Released]);
    assert!(board.leftovers().is_empty());
}

#[test]
fn a_wait_is_told_once_and_in_the_machines_own_words() {
    let board = Board::default();
    let waiting = json!({"status": {"conditions": [
        {"type": "Ready", "status": "False", "reason": "PoolExhausted", "message": "pool p is empty"},
    ]}});
    machine(&board, "m", waiting.clone());
    machine(&board, "m", waiting);
    let news = board.take_news();
    assert_eq!(news.len(), 1);
    assert_eq!(news[0].why, "PoolExhausted: pool p is empty");
}

#[test]
fn what_others_have_on_the_control_plane_does_not_count() {
    let board = Board::default();
    machine(&board, "theirs", json!({"status": {"ready": true}}));
    hardware(&board, "theirs", json!("theirs"), Value::Null);
    board.forget();
    machine(&board, "theirs", json!({"status": {"ready": true}}));
    machine(&board, "ours", json!({}));
    assert_eq!(board.count(Stage::Provisioned), 0);
    assert_eq!(board.rows().len(), 1);
    assert_eq!(board.leftovers().to_string(), "1 TinkerbellMachines");
}

#[test]
fn what_a_machine_said_of_an_earlier_stage_does_not_stand_beside_a_later_one() {
    let board = Board::default();
    let waits = |reason: &str| {
        json!({
            "spec": {"providerID": "tinkerbell://ns/hw"},
            "status": {"conditions": [{"type": "Ready", "status": "False", "reason": reason}]},
        })
    };
    hardware(&board, "hw", json!("m"), Value::Null);
    machine(&board, "m", waits("WaitingForIPAddress"));
    hardware(&board, "hw", json!("m"), json!({"address": "10.0.0.100"}));
    let row = board.rows().remove(0);
    assert_eq!((row.stage, row.why.as_str()), (Stage::Booting, ""));
    machine(&board, "m", waits("WaitingForWorkflow"));
    assert_eq!(board.rows()[0].why, "WaitingForWorkflow");
}

#[test]
fn a_pause_hides_what_a_machine_said_before_it() {
    let board = Board::default();
    let conditions = json!([
        {"type": "Ready", "status": "False", "reason": "WaitingForWorkflow"},
        {"type": "Paused", "status": "True", "reason": "Paused"},
    ]);
    machine(&board, "m", json!({"status": {"conditions": conditions}}));
    assert!(board.rows()[0].is_paused());
}

#[test]
fn machines_that_a_person_adds_by_hand_count_too() {
    let board = Board::default();
    for n in 0..11 {
        machine(&board, &format!("m{n}"), json!({"status": {"ready": true}}));
        see(&board, "infrastructure.cluster.x-k8s.io", "tinkerbellmachines", &format!("m{n}"), None);
    }
    machine(&board, "m11", json!({}));
    assert_eq!(board.ever(), (12, 11));
}
