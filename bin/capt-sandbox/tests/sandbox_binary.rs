//! The program itself, as a user runs it: what it says, and with which status it ends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[path = "common/kept.rs"]
mod kept;

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::process::Output;

use capt_sandbox::control_plane::{ControlPlane, MANAGER};
use kube::config::Kubeconfig;
use memory_apiserver::MemoryApiServer;
use serde_json::{Value, json};

use kept::{Kept, sandbox};

fn run(args: &[&str]) -> Output {
    sandbox().args(args).output().unwrap()
}

/// Standard output must be one line, and that one JSON.
fn summary(output: &Output) -> Value {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(text.lines().count(), 1, "standard output is the summary and nothing else: {text}");
    serde_json::from_str(text.trim_end()).unwrap()
}

/// Plays the example, and checks every promise of the summary.
fn play(args: &[&str], machines: usize) -> Value {
    let output = run(&[args, &["--output", "json"]].concat());
    assert!(output.status.success(), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    let summary = summary(&output);
    for field in ["machines", "provisioned", "released"] {
        assert_eq!(summary[field], machines, "{field} of {summary}");
    }
    assert_eq!(summary["addresses_in_use_after"], 0);
    assert_eq!(summary["violations"], 0);
    assert!(summary["seconds"].as_f64().unwrap() > 0.0);
    let addresses = summary["addresses"].as_array().unwrap();
    assert_eq!(addresses.len(), machines);
    for field in ["machine", "hardware", "address"] {
        let different: BTreeSet<&str> = addresses.iter().map(|address| address[field].as_str().unwrap()).collect();
        assert_eq!(different.len(), machines, "two machines share one {field}");
    }
    for address in addresses {
        let [a, b, c, d] = address["address"].as_str().unwrap().parse::<Ipv4Addr>().unwrap().octets();
        assert!([a, b, c] == [10, 0, 0] && (100..=200).contains(&d), "{address} is not of the pool");
        assert_eq!(address["netmask"], "255.255.255.0");
        assert_eq!(address["gateway"], "10.0.0.1");
    }
    summary
}

#[test]
fn the_example_ends_with_every_address_on_its_hardware_and_back_in_the_pool() {
    let summary = play(&[], 3);
    // Budget: 11 writes to provision and 10 to release; a little of the cluster's own is spread over three machines.
    let writes = summary["writes_per_machine"].as_f64().unwrap();
    assert!((10.0..=22.0).contains(&writes), "{writes} writes per machine");
}

#[test]
fn the_example_works_the_same_with_the_provider_of_the_second_family() {
    play(&["--provider", "metal3"], 3);
}

#[test]
fn a_larger_cluster_with_three_control_plane_machines_is_played_too() {
    play(&["--workers", "27", "--control-plane", "3", "--hardware", "32"], 30);
}

#[test]
fn without_a_terminal_there_is_a_plain_line_for_every_stage_and_a_table() {
    let output = run(&[]);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains('\u{1b}'), "no escape codes without a terminal");
    for stage in ["provisioned on", "releasing on", "released on"] {
        assert_eq!(text.lines().filter(|line| line.contains(stage)).count(), 3, "{stage} in {text}");
    }
    let table: Vec<&str> = text.lines().skip_while(|line| !line.starts_with("MACHINE")).take(4).collect();
    assert_eq!(table.len(), 4);
    assert!(table[1..].iter().all(|line| line.contains("10.0.0.1") && line.contains("255.255.255.0")), "{text}");
    assert!(text.lines().last().unwrap().contains("no rule was broken"), "{text}");
}

#[test]
fn a_machine_that_gets_stuck_is_named_with_its_reason() {
    let output = run(&["--hardware", "2", "--timeout", "4", "--output", "json"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let error = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(error.contains("2 of 3 machines"), "{error}");
    assert!(error.contains("my-cluster-workers-") && error.contains("NoHardwareAvailable"), "{error}");
    assert!(error.contains("type=worker"), "the message of the condition: {error}");
    assert_eq!(summary(&output)["provisioned"], 2);
}

/// Plays with a fault: it must be told with these words, and everything must end well all the same.
fn play_with(fault: &str, condition: &str, reason: &str, words: &[&str]) {
    let summary = play(&["--fault", fault], 3);
    let told = summary["faults"].as_array().unwrap();
    assert_eq!(told.len(), 1, "{summary}");
    assert_eq!(
        (&told[0]["fault"], &told[0]["condition"], &told[0]["reason"]),
        (&fault.into(), &condition.into(), &reason.into())
    );
    for text in [&told[0]["message"], &told[0]["event"]] {
        let text = text.as_str().unwrap();
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
    }
}

#[test]
fn a_failed_workflow_is_told_and_life_goes_on_once_it_is_deleted() {
    play_with(
        "workflow-failed",
        "WorkflowSucceeded",
        "WorkflowFailed",
        &["workflow failed: Workflow default/my-cluster-", "is FAILED"],
    );
}

#[test]
fn a_failed_power_off_is_told_and_tried_again() {
    play_with(
        "power-off-failed",
        "Deleting",
        "PowerOffFailed",
        &["bmc job default/my-cluster-", "power-off of Hardware", "attempt 1, retrying"],
    );
}

#[test]
fn an_exhausted_pool_is_told_and_life_goes_on_once_it_is_larger() {
    play_with(
        "pool-exhausted",
        "IPAddressClaimsFulfilled",
        "PoolExhausted",
        &["production-pool", "IPAddressClaim default/my-cluster-"],
    );
}

#[test]
fn a_bmc_that_never_answers_is_told_with_what_lets_its_machine_go() {
    play_with(
        "bmc-never-answers",
        "Deleting",
        "BMCNotContactable",
        &["rufio cannot reach the BMC", "capt.tinkerbell.org/release-without-power-off=true"],
    );
}

#[test]
fn a_missing_bmc_machine_is_told_and_life_goes_on_once_it_is_back() {
    play_with(
        "bmc-machine-missing",
        "Deleting",
        "BMCNotFound",
        &["its BMC Machine does not exist: create it, or take bmcRef off the Hardware"],
    );
}

/// Plays with a fault that nobody has to hear of: it must have been there, and everything must end well.
fn play_in_spite_of(fault: &str, words: &str) {
    let summary = play(&["--fault", fault], 3);
    let shown = summary["faults"].as_array().unwrap();
    assert_eq!(shown.len(), 1, "{summary}");
    assert_eq!(shown[0]["fault"], fault);
    let seen = shown[0]["seen"].as_str().unwrap();
    assert!(seen.contains(words), "{seen}");
}

#[test]
fn a_bmc_that_calls_off_an_error_holds_no_machine_whose_server_is_off() {
    play_in_spite_of("off-is-an-error", "refused the command");
}

#[test]
fn a_late_garbage_collector_holds_nothing_up() {
    play_in_spite_of("late-collector", "outlives its Workflow");
}

#[test]
fn slow_bmcs_that_one_worker_serves_hold_machines_up_but_not_for_good() {
    play_in_spite_of("slow-bmcs", "for its turn");
}

#[test]
fn three_faults_of_three_servers_are_shown_in_one_play() {
    let faults = ["--fault", "bmc-never-answers", "--fault", "bmc-machine-missing", "--fault", "off-is-an-error"];
    let shown = play(&faults, 3)["faults"].as_array().unwrap().clone();
    let machines: BTreeSet<&str> = shown.iter().filter_map(|shown| shown["machine"].as_str()).collect();
    assert_eq!((shown.len(), machines.len()), (3, 2), "{shown:#?}");
}

#[test]
fn every_fault_is_explained_by_help() {
    let help = String::from_utf8(run(&["--help"]).stdout).unwrap();
    for (fault, words) in [
        ("bmc-never-answers", "never answers"),
        ("bmc-machine-missing", "is missing"),
        ("off-is-an-error", "is off already"),
        ("late-collector", "garbage collector comes"),
        ("slow-bmcs", "takes a second"),
    ] {
        let line = help.lines().find(|line| line.trim_start().starts_with(&format!("- {fault}:")));
        assert!(line.is_some_and(|line| line.contains(words)), "{fault}: {help}");
    }
}

#[test]
fn faults_of_all_sorts_are_shown_with_their_words_on_the_screen() {
    let all = [
        "--fault",
        "pool-exhausted",
        "--fault",
        "workflow-failed",
        "--fault",
        "power-off-failed",
        "--provider",
        "metal3",
    ];
    let output = run(&all);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    for reason in ["PoolExhausted", "WorkflowFailed", "PowerOffFailed"] {
        let told = |how: &str| text.lines().any(|line| line.trim_start().starts_with(how) && line.contains(reason));
        assert!(told("condition ") && told("event "), "{reason} in {text}");
    }
    assert!(text.lines().last().unwrap().contains("3 released"), "{text}");
}

#[test]
fn a_fault_that_is_not_told_ends_with_status_one() {
    // One machine never finds a pool of one address exhausted.
    let output = run(&["--fault", "pool-exhausted", "--workers", "0", "--timeout", "3"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("fault pool-exhausted was not reported"), "{error}");
}

#[test]
fn kept_it_can_be_reached_until_ctrl_c_takes_everything_down() {
    let mut kept = Kept::start(&[]);
    let kubeconfig = std::fs::read_to_string(&kept.kubeconfig).unwrap();
    let config: Value = serde_saphyr::from_str(&kubeconfig).unwrap();
    let server = config["clusters"][0]["cluster"]["server"].as_str().unwrap();
    assert!(server.starts_with("http://127.0.0.1:"), "{server}");
    let address = server.trim_start_matches("http://");
    std::net::TcpStream::connect(address).expect("the server listens");
    kept.interrupt();
    let last = kept.lines.last().unwrap();
    assert!(kept.child.wait().unwrap().success());
    assert!(last.contains("3 released, 0 addresses still in use"), "{last}");
    assert!(std::net::TcpStream::connect(address).is_err(), "nobody listens any more");
}

/// A client of a sandbox that stays up, as this user.
async fn client(kept: &Kept, user: &str) -> kube::Client {
    let kubeconfig = std::fs::read_to_string(&kept.kubeconfig).unwrap();
    let kubeconfig = Kubeconfig::from_yaml(&kubeconfig.replace("admin", user)).unwrap();
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &Default::default()).await.unwrap();
    kube::Client::try_from(config).unwrap()
}

async fn merge(client: &kube::Client, path: &str, patch: Value) {
    let request = http::Request::patch(path).header("content-type", "application/merge-patch+json");
    let _: Value = client.request(request.body(serde_json::to_vec(&patch).unwrap()).unwrap()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_cluster_is_named_at_ctrl_c_and_released_once_it_is_resumed() {
    let mut kept = Kept::start(&[]);
    let client = client(&kept, "admin").await;
    let path = "/apis/cluster.x-k8s.io/v1beta2/namespaces/default/clusters/my-cluster";
    merge(&client, path, json!({"spec": {"paused": true}})).await;
    let is_paused = |line: &String| line.contains("provisioned on") && line.contains(": Paused");
    assert_eq!(kept.lines.by_ref().filter(is_paused).take(3).count(), 3, "each machine says so");
    kept.interrupt();
    let told = kept.lines.find(|line| line.contains("are paused")).unwrap();
    assert!(told.contains("3 machines") && told.contains("kubectl patch") && told.contains("Ctrl-C again"), "{told}");
    merge(&client, path, json!({"spec": {"paused": false}})).await;
    let last = kept.lines.last().unwrap();
    assert!(last.contains("3 released") && last.contains("no rule was broken"), "{last}");
    assert!(kept.child.wait().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_exists_on_somebodys_own_control_plane_is_refused_at_once_and_left_alone() {
    let host = ControlPlane::new().unwrap();
    let secret = json!({"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "Cluster", "metadata": {"name": "my-cluster"},
        "spec": {"infrastructureRef": {"apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "TinkerbellCluster", "name": "theirs"}}});
    host.server().apply_manifest(&secret.to_string()).unwrap();
    let serving = host.server().serve().await.unwrap();
    let file = std::env::temp_dir().join(format!("capt-sandbox-exists-{}.kubeconfig", std::process::id()));
    std::fs::write(&file, serving.kubeconfig("operator")).unwrap();
    let kubeconfig = file.to_str().unwrap().to_owned();
    let begin = std::time::Instant::now();
    let output = tokio::task::spawn_blocking(move || run(&["--kubeconfig", &kubeconfig])).await.unwrap();
    std::fs::remove_file(&file).unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(begin.elapsed() < std::time::Duration::from_secs(20), "{:?}", begin.elapsed());
    let (text, error) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(error.contains("Cluster default/my-cluster exists already"), "{error}");
    assert!(!text.contains("taking down"), "{text}");
    assert_eq!(host.server().list("cluster.x-k8s.io", "clusters").len(), 1, "theirs stays");
    assert!(host.server().list("tinkerbell.org", "hardware").is_empty(), "nothing was made");
    serving.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_rule_is_told_with_its_write_and_ends_with_status_one() {
    // Somebody with the manager's credentials does what the manager never does.
    let kept = Kept::start(&[]);
    let client = client(&kept, MANAGER).await;
    let path = "/apis/tinkerbell.org/v1alpha1/namespaces/default/hardware/server-001";
    let hardware: Value = client.request(http::Request::get(path).body(Vec::new()).unwrap()).await.unwrap();
    let address = &hardware["spec"]["interfaces"][0]["dhcp"]["ip"]["address"];
    // And back, so that the release finds what it knows.
    for address in [&Value::from("10.0.0.199"), address] {
        let pointer = "/spec/interfaces/0/dhcp/ip/address";
        let patch = serde_json::json!([{"op": "replace", "path": pointer, "value": address}]);
        let request = http::Request::patch(path).header("content-type", "application/json-patch+json");
        let _: Value = client.request(request.body(serde_json::to_vec(&patch).unwrap()).unwrap()).await.unwrap();
    }
    kept.interrupt();
    let last = kept.lines.last().unwrap();
    let output = kept.child.wait_with_output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{last}\n{error}");
    assert!(last.contains("rules were broken"), "{last}");
    for part in ["violation: rule 4", "10.0.0.199", "capt-manager patch hardware default/server-001"] {
        assert!(error.contains(part), "{part} in {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn somebodys_own_control_plane_is_played_on_and_left_clean() {
    // A bare server, slow with new kinds, on which only a manager works, started before any of its kinds exists.
    let server = MemoryApiServer::builder().crd_delay(std::time::Duration::from_secs(1)).build();
    let mut host = ControlPlane::on(server);
    host.start_manager(capt_kube::Settings::default());
    let serving = host.server().serve().await.unwrap();
    let file = std::env::temp_dir().join(format!("capt-sandbox-test-{}.kubeconfig", std::process::id()));
    std::fs::write(&file, serving.kubeconfig("operator")).unwrap();
    let kubeconfig = file.to_str().unwrap().to_owned();
    let summary = tokio::task::spawn_blocking(move || play(&["--kubeconfig", &kubeconfig], 3)).await.unwrap();
    std::fs::remove_file(&file).unwrap();
    let writes = summary["writes_per_machine"].as_f64().unwrap();
    assert!(writes >= 8.0, "{writes}: the manager's writes are told apart from those of others");
    for (group, resource) in [
        ("tinkerbell.org", "hardware"),
        ("tinkerbell.org", "workflows"),
        ("cluster.x-k8s.io", "clusters"),
        ("cluster.x-k8s.io", "machines"),
        ("infrastructure.cluster.x-k8s.io", "tinkerbellmachinetemplates"),
        ("ipam.cluster.x-k8s.io", "inclusterippools"),
        ("bmc.tinkerbell.org", "machines"),
        ("", "secrets"),
    ] {
        let left = host.server().list(group, resource);
        assert!(left.is_empty(), "{resource}.{group}: {left:#?}");
    }
    serving.shutdown().await;
    host.stop().await.unwrap();
}
