//! Playing scenarios one after the other, and what is told of it.

use std::collections::BTreeSet;
use std::path::Path;
use std::pin::pin;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use futures::{StreamExt as _, stream};
use real_control_plane::audit::{AuditLog, Mark};
use real_control_plane::build::{Outcome, Programs, build};
use real_control_plane::pins;
use real_control_plane::sets::{NEWEST, Set};
use tokio::sync::Mutex;

use crate::rights::{self, Right};
use crate::scenarios::{ALL, ON_DEMAND, Scenario};
use crate::stage::{CAPT_ACCOUNT, Paths, Stage};
use capt_simulators::kinds::{self, Kind};

/// What is written down when a scenario fails. Secrets never are.
const DUMPED: &[Kind] = &[
    kinds::CLUSTER,
    kinds::MACHINE,
    kinds::MACHINE_DEPLOYMENT,
    kinds::KUBEADM_CONTROL_PLANE,
    kinds::CLAIM,
    kinds::ADDRESS,
    kinds::IN_CLUSTER_POOL,
    kinds::TINKERBELL_CLUSTER,
    kinds::TINKERBELL_MACHINE,
    kinds::TINKERBELL_MACHINE_TEMPLATE,
    kinds::HARDWARE,
    kinds::TEMPLATE,
    kinds::WORKFLOW,
    kinds::BMC_JOB,
    kinds::BMC_TASK,
    kinds::BMC_MACHINE,
    kinds::EVENT,
    kinds::LEASE,
];

/// Where everything lies, from the workspace's root.
pub const FOLDER: &str = "target/real-control-plane";
/// No scenario takes longer; one that does hangs.
const LIMIT: Duration = Duration::from_secs(420);
/// How many scenarios are played at a time: most of their time they wait.
const LANES: usize = 2;

/// Plays the scenarios with these names among the programs of a set; without names, those that belong to the set: all to
/// the newest, to an older one those that show its versions. Returns whether all passed.
///
/// # Errors
/// When a name is unknown, or a program cannot be built.
pub async fn run(
    names: &[String],
    set: &'static Set,
    root: &Path,
    manager: &Path,
    image: Option<&Path>,
) -> anyhow::Result<bool> {
    let scenarios = chosen(names, set)?;
    let begin = Instant::now();
    // Programs are started in other folders than this one.
    let (root, manager) = (&std::path::absolute(root)?, std::path::absolute(manager)?);
    let folder = root.join(FOLDER);
    let Some(programs) = programs(&folder, set, &scenarios).await? else {
        println!("e2e: no Go on this machine: {} scenarios skipped", scenarios.len());
        return Ok(true);
    };
    println!("e2e: the programs of set {} are ready after {} s", set.name, begin.elapsed().as_secs());
    let image = image.map(std::path::absolute).transpose()?;
    let run = folder.join("run").join(format!("{}", std::process::id()));
    let paths = Paths { root: root.clone(), run, manager, image };
    let (mut failed, mut used) = (Vec::new(), BTreeSet::new());
    let go_capt = &Mutex::new(());
    let (programs, paths) = (&programs, &paths);
    let plays = scenarios.iter().map(|&scenario| async move {
        let _turn = if scenario.go_capt { Some(go_capt.lock().await) } else { None };
        let start = Instant::now();
        let played = play(scenario, set, programs, paths).await;
        (scenario, played, start.elapsed().as_secs())
    });
    let mut plays = pin!(stream::iter(plays).buffer_unordered(LANES));
    while let Some((scenario, played, seconds)) = plays.next().await {
        match played.map(|mut rights| used.append(&mut rights)) {
            Ok(()) => println!("  passed  {:<16} {seconds:>4} s  {}", scenario.name, scenario.about),
            Err(error) => {
                println!("  FAILED  {:<16} {seconds:>4} s  {}", scenario.name, scenario.about);
                println!("          {error:#}");
                println!("          logs and objects: {}", paths.run.join(scenario.name).display());
                failed.push(scenario.name);
            }
        }
    }
    // Only all scenarios together use all rights.
    if names.is_empty() && set.name == NEWEST.name && failed.is_empty() {
        let granted = rights::granted(&root.join("deploy/rbac"))?;
        match rights::are_minimal(&granted, &used) {
            Ok(()) => println!("  passed  rbac: each of the {} granted rights was used", granted.len()),
            Err(error) => {
                println!("  FAILED  rbac\n{error:#}");
                failed.push("rbac");
            }
        }
    }
    if failed.is_empty() {
        // Nobody needs what a passed scenario left; what cannot be removed stays.
        let _ = std::fs::remove_dir_all(&paths.run);
    }
    let seconds = begin.elapsed().as_secs();
    match failed.as_slice() {
        [] => println!("e2e: all {} scenarios on set {} passed in {seconds} s", scenarios.len(), set.name),
        failed => println!(
            "e2e: {} of {} scenarios on set {} failed in {seconds} s: {}",
            failed.len(),
            scenarios.len(),
            set.name,
            failed.join(", ")
        ),
    }
    Ok(failed.is_empty())
}

fn chosen(names: &[String], set: &Set) -> anyhow::Result<Vec<&'static Scenario>> {
    let known = || ALL.iter().chain(ON_DEMAND);
    if let Some(unknown) = names.iter().find(|name| known().all(|scenario| scenario.name != **name)) {
        let known: Vec<&str> = known().map(|scenario| scenario.name).collect();
        bail!("there is no scenario {unknown}; there are {}", known.join(", "));
    }
    Ok(match names {
        [] => ALL.iter().filter(|scenario| scenario.on_every_set || set.name == NEWEST.name).collect(),
        names => known().filter(|scenario| names.iter().any(|name| name == scenario.name)).collect(),
    })
}

/// The programs of a set and those that only these scenarios need, built where they were not; none without Go.
///
/// # Errors
/// When one of them cannot be built.
async fn programs(folder: &Path, set: &Set, scenarios: &[&Scenario]) -> anyhow::Result<Option<Programs>> {
    let all = [pins::ETCD, set.kubernetes, set.cluster_api, set.ipam, pins::GO_CAPT, pins::CERT_MANAGER, pins::CRANE];
    let more = scenarios.iter().flat_map(|scenario| scenario.more).copied();
    match build(folder, &all.into_iter().chain(more).collect::<Vec<_>>(), |line| println!("build: {line}")).await? {
        Outcome::Built(programs) => Ok(Some(programs)),
        Outcome::NoGo => Ok(None),
    }
}

/// Plays a scenario; returns the rights that it used.
async fn play(
    scenario: &Scenario,
    set: &'static Set,
    programs: &Programs,
    paths: &Paths,
) -> anyhow::Result<BTreeSet<Right>> {
    let mut stage = Stage::open(programs, set, paths, scenario.name).await?;
    let played = match tokio::time::timeout(LIMIT, (scenario.play)(&mut stage)).await {
        Ok(played) => played.and_then(|()| judge_requests(&stage)),
        Err(_) => Err(anyhow::anyhow!("not done after {} s", LIMIT.as_secs())),
    };
    match &played {
        Ok(_) => {
            let folder = stage.folder().to_path_buf();
            drop(stage);
            let _ = std::fs::remove_dir_all(folder);
        }
        // What can be seen of a broken stage is better than nothing.
        Err(_) => dump(&stage).await.unwrap_or_else(|error| println!("          cannot write objects down: {error:#}")),
    }
    played
}

/// What holds in every scenario, on every control plane: capt-manager never asks for what it has no right to, and never lists Secrets.
fn judge_requests(stage: &Stage) -> anyhow::Result<BTreeSet<Right>> {
    let mut used = BTreeSet::new();
    for log in stage.audits() {
        judge_log(&log, &mut used)?;
    }
    Ok(used)
}

fn judge_log(log: &AuditLog, used: &mut BTreeSet<Right>) -> anyhow::Result<()> {
    let (mut allowed, mut forbidden) = (BTreeSet::new(), BTreeSet::new());
    for asked in log.since(Mark::default())? {
        if asked.user != CAPT_ACCOUNT || asked.resource.is_empty() {
            continue;
        }
        if asked.resource == "secrets" && asked.verb != "get" {
            bail!("capt-manager did {} secrets", asked.verb);
        }
        let right = (asked.group.clone(), asked.full_resource(), asked.verb);
        let rights = if matches!(asked.code, 401 | 403) { &mut forbidden } else { &mut allowed };
        rights.insert(right);
    }
    // A server that has just started forbids for a moment what it allows soon after.
    if let Some((group, resource, verb)) = forbidden.difference(&allowed).next() {
        bail!("capt-manager was forbidden to {verb} {resource}.{group}");
    }
    used.append(&mut allowed);
    Ok(())
}

/// Writes all objects of the kinds we know to files in the stage's folder.
async fn dump(stage: &Stage) -> anyhow::Result<()> {
    let folder = stage.folder().join("objects");
    std::fs::create_dir_all(&folder)?;
    for kind in DUMPED {
        let Ok(objects) = stage.objects.cluster().list(*kind).await else {
            continue;
        };
        let text = serde_saphyr::to_string(&objects).context("objects")?;
        std::fs::write(folder.join(format!("{}.{}.yaml", kind.plural, kind.group)), text)?;
    }
    Ok(())
}
