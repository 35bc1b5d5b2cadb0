//! docs/benchmarks.md and its chart.

use std::collections::BTreeSet;
use std::path::Path;

use crate::baseline::WRITES;
use crate::output::chart::chart;
use crate::output::table::{limit, title, verdict};
use crate::output::{MEASURES, criterion, number, ratio};
use crate::results::{Phase, Result, Results, Run};
use crate::workload::{COMPARE, Program};

const CHART: &str = "benchmarks.svg";

/// Every file, by its name.
pub fn files(results: &Results, target: &Path) -> Vec<(&'static str, String)> {
    let chart = chart(results);
    let text = [
        head(results, chart.is_some()),
        comparison(results),
        targets(results),
        limits(results),
        workloads(results),
        requests(results),
        criterion(target),
        METHOD.to_owned(),
    ]
    .concat();
    let mut files = vec![("benchmarks.md", text)];
    files.extend(chart.map(|chart| (CHART, chart)));
    files
}

const METHOD: &str = "
## How it is measured

`cargo xtask bench` builds etcd, kube-apiserver, kube-controller-manager and Go CAPT from their Go modules and capt-manager
as it is shipped (`cargo xtask dist`), and runs all of them as processes on loopback. `cargo xtask bench --quick` is a short
comparison with 100 machines, with the ordinary release build; `--output FILE` writes every run as JSON; `--strict` fails when a target is missed.

- Both programs meet the same conditions: the same API server in the same run, one after another, each with objects made
  anew. Stand-ins in one process play Tinkerbell (a Workflow goes PREPARING, PENDING, RUNNING, POST, SUCCESS), the BMCs and the IPAM
  provider; like the real one, Tinkerbell's renders from its cache. No controller of Cluster API runs: Cluster, Machines with bootstrap Secrets and TinkerbellMachines are made directly.
- Each program starts with the Hardware there; then all TinkerbellMachines are made at once, each asking for a worker by
  label. \"Ready\" is `status.ready`, seen by a watch. CPU is user and system time of the process, from its start. Two more
  seconds count after all are ready, then 15 s idle, then all TinkerbellMachines are deleted at once.
- Writes are all requests of the program that ask for a change, as the API server's audit log tells, Events included; those
  to the one TinkerbellCluster are left out.
- Success to status: from the request that makes a Workflow a success to the program's next status write on that machine,
  both as the server received them. The server's own work on the first is in it.
- Peak memory is `VmHWM` of the process over the whole run; memory on an empty API server is `VmRSS` after 20 s, with every
  watch open and the webhooks served.
- Absolute times depend on the machine, on which API server, etcd and stand-ins take their part of the cores; the
  ratios are what counts.
";

fn head(results: &Results, has_chart: bool) -> String {
    let setting = &results.setting;
    let versions: Vec<String> =
        setting.versions.iter().map(|(program, version)| format!("{program} {version}")).collect();
    let size = if setting.quick { " This was a short comparison." } else { "" };
    let chart = if has_chart { format!("\n![Both programs side by side]({CHART})\n") } else { String::new() };
    format!(
        "<!-- Written by `cargo xtask bench`; do not edit. -->\n# Benchmarks\n\n\
         Measured on {}: {}. {}.{size}\n{chart}",
        setting.date,
        setting.machine,
        versions.join(", "),
    )
}

fn comparison(results: &Results) -> String {
    let ours = results.result(COMPARE, Program::CaptManager);
    let theirs = results.result(COMPARE, Program::GoCapt);
    let (Some(ours), Some(theirs)) = (ours, theirs) else {
        return String::new();
    };
    let mut text = format!(
        "\n## Beside Go CAPT\n\n{} machines among {} Hardware with static addresses, without BMCs; the median of {} runs \
         each, in turn.\n\n| | {} | {} | ratio |\n|---|--:|--:|--:|\n",
        ours.workload.machines,
        ours.workload.hardware,
        ours.runs.len(),
        title(ours.program),
        title(theirs.program),
    );
    for measure in MEASURES {
        let (ours, theirs) = ((measure.of)(&ours.median), (measure.of)(&theirs.median));
        let part = if theirs > 0.0 && ours > 0.0 { ratio(ours / theirs) } else { String::new() };
        let label = label(measure.name, measure.unit);
        text.push_str(&format!("| {label} | {} | {} | {part} |\n", number(ours), number(theirs)));
    }
    text
}

fn targets(results: &Results) -> String {
    let mut text = "\n## Targets\n\n| target | at most | measured | |\n|---|--:|--:|---|\n".to_owned();
    for target in &results.targets {
        let value = target.value.map_or_else(String::new, |value| limit(target, value));
        text.push_str(&format!(
            "| {} | {} | {value} | {} |\n",
            target.what,
            limit(target, target.limit),
            verdict(target)
        ));
    }
    text
}

/// Why the seconds do not fall as the manager's own work does.
fn limits(results: &Results) -> String {
    let Some(ours) = results.result(COMPARE, Program::CaptManager) else {
        return String::new();
    };
    let (phase, machines) = (&ours.median.provision, ours.workload.machines as f64);
    let own = phase.requests.count() as f64 / machines;
    let server = phase.server_cpu_ms_per_machine * machines / 1e3;
    format!(
        "\n## What limits the seconds\n\n\
         The API server. Beside CAPT in Rust it uses {} ms of CPU per machine, {} s for all {}, which is {} cores through \
         all {} seconds; the manager uses {} ms. It answers {} requests per machine, {} of them the manager's. The others \
         are Tinkerbell's (five states of a Workflow, two changes of a Hardware), the garbage collector's, and the creation \
         itself; each program meets them. {LIMITS}{}",
        number(phase.server_cpu_ms_per_machine),
        number(server),
        ours.workload.machines,
        number(server / phase.seconds.max(f64::MIN_POSITIVE)),
        number(phase.seconds),
        number(phase.cpu_ms_per_machine),
        number(phase.all_requests_per_machine),
        number(own),
        without_a_manager(results),
    )
}

/// The seconds that no manager can be blamed for.
fn without_a_manager(results: &Results) -> String {
    let seconds = |program| Some(results.median(COMPARE, program)?.provision.seconds);
    let measured = (results.baseline(), seconds(Program::CaptManager), seconds(Program::GoCapt));
    let (Some(baseline), Some(ours), Some(theirs)) = measured else {
        return String::new();
    };
    let (ours, theirs) = (ours - baseline, theirs - baseline);
    let times = if ours > 0.0 { format!(", {} of that", ratio(ours / theirs)) } else { String::new() };
    format!(
        "\nIn each round the same machines were made without a manager, too: the Templates and Workflows that CAPT in Rust had \
         made are made again, and each machine is called ready when its Workflow is done, {WRITES} writes a machine and \
         nothing else. It took {} s, which is what API server, etcd and Tinkerbell need by themselves on this machine. \
         Beyond it Go CAPT took {} s and CAPT in Rust {} s{times}.\n",
        number(baseline),
        number(theirs),
        number(ours),
    )
}

/// What was found by hand, with the API server's own profile (`/debug/pprof/profile`), and when.
const LIMITS: &str = "On 2026-11-23, on two cores of an AMD EPYC, nearly half of the server's profile was updates of \
custom resources (decoding, patching, managed fields, validation against the schema), a quarter Go's garbage collection, a \
tenth what etcd tells back for the watches: all of it grows with the number of writes, and the manager's are as few as its \
rules allow (the finalizer before the Hardware, the Hardware before the record of it, the Template before the Workflow). \
More workers showed no effect: one run each with 10, 20 and 40 took 16.6, 15.8 and 18.6 s; nor did a \
kube-controller-manager that was stopped (18.5 and 19.3 s).\n";

/// Our own workloads side by side.
fn workloads(results: &Results) -> String {
    let ours: Vec<&Result> = results.results.iter().filter(|result| result.program == Program::CaptManager).collect();
    let mut text = "\n## More machines, pools and BMCs\n\nCAPT in Rust alone.\n\n|".to_owned();
    for result in &ours {
        let workload = result.workload;
        let with = if workload.ipam { ", pool and BMCs" } else { "" };
        text.push_str(&format!(" | {} among {}{with}", workload.machines, workload.hardware));
    }
    text.push_str(&format!(" |\n|---|{}\n", "--:|".repeat(ours.len())));
    for measure in MEASURES {
        text.push_str(&format!("| {}", label(measure.name, measure.unit)));
        for result in &ours {
            text.push_str(&format!(" | {}", number((measure.of)(&result.median))));
        }
        text.push_str(" |\n");
    }
    text
}

type Part = (&'static str, fn(&Run) -> &Phase);

/// Every request by verb and resource.
fn requests(results: &Results) -> String {
    let mut text = "\n## Requests per machine\n\nBy verb and resource; a number below 0.01 is a few requests for all \
                    machines together.\n"
        .to_owned();
    let parts: [Part; 3] =
        [("provision", |run| &run.provision), ("idle", |run| &run.idle), ("release", |run| &run.release)];
    for result in &results.results {
        text.push_str(&format!(
            "\n### {}, {}\n\n| request | provision | idle | release |\n|---|--:|--:|--:|\n",
            title(result.program),
            result.workload.name
        ));
        let of = |part: &Part| part.1(&result.median).requests.0.clone();
        let all: BTreeSet<String> = parts.iter().flat_map(|part| of(part).into_keys()).collect();
        for request in all {
            text.push_str(&format!("| {request}"));
            for part in &parts {
                let count = of(part).get(&request).copied().unwrap_or_default();
                text.push_str(&match count {
                    0 => " | ".to_owned(),
                    count => format!(" | {:.3}", count as f64 / result.workload.machines as f64),
                });
            }
            text.push_str(" |\n");
        }
    }
    text
}

fn criterion(target: &Path) -> String {
    let medians = criterion::medians(target);
    let mut text = "\n## Parts\n\n`cargo bench --workspace` measures decisions, the selection of Hardware among 10,000, addresses and the \
                    memory-apiserver's requests."
        .to_owned();
    if medians.is_empty() {
        text.push('\n');
        return text;
    }
    text.push_str(" Medians of the last time:\n\n| bench | time |\n|---|--:|\n");
    for (name, nanoseconds) in medians {
        text.push_str(&format!("| {name} | {} |\n", criterion::time(nanoseconds)));
    }
    text
}

fn label(name: &str, unit: &str) -> String {
    if unit.is_empty() { name.to_owned() } else { format!("{name}, {unit}") }
}
