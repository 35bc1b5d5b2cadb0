//! All workloads, one after another, on one control plane.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use real_control_plane::build;
use real_control_plane::control_plane::ControlPlane;
use real_control_plane::pins;
use tokio::process::Command;

use crate::baseline;
use crate::flags::Flags;
use crate::idle;
use crate::output;
use crate::program::Files;
use crate::results::{Result, Results, Run, Setting};
use crate::run;
use crate::stage;
use crate::targets::targets;
use crate::workload::{Program, Workload, workloads};

/// How often a run of Go CAPT is begun anew. When many machines come at once it has been seen to reserve several servers
/// for one machine, and Tinkerbell to give up on a Hardware that changes all the time: one machine is never ready then.
const TRIES: u32 = 3;

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All was measured; so many targets were missed.
    Done {
        /// How many.
        missed: usize,
    },
    /// There is no Go, and so no server to measure on.
    NoGo,
}

/// Builds, measures, reports.
///
/// # Errors
/// When something cannot be built, started or measured. A missed target is no error.
pub async fn compare(flags: &Flags) -> anyhow::Result<Outcome> {
    let say = |text: &str| println!("{text}");
    let wanted = [pins::ETCD, pins::KUBERNETES, pins::GO_CAPT];
    let built = build::build(&absolute(&flags.target().join("real-control-plane"))?, &wanted, say).await?;
    let build::Outcome::Built(go) = built else {
        println!("skipped: the API server and Go CAPT are built with Go, and there is no Go on this machine");
        return Ok(Outcome::NoGo);
    };
    let own = own_programs()?;
    let capt_manager = absolute(flags.manager.as_ref().unwrap_or(&own.join("capt-manager")))?;
    let files = Files { capt_manager, go };
    let folder = fresh_folder(flags)?;
    let mut plane = stage::start(&files.go, &folder).await?;

    let idle_mib = idle::memory_mib(&files, &plane, &folder).await.context("the manager on an empty server")?;
    println!("capt-manager on the empty API server: {idle_mib:.1} MiB");
    let (mut results, mut baseline_seconds) = (Vec::new(), Vec::new());
    for workload in workloads(flags.quick).into_iter().filter(|workload| is_wanted(workload, flags)) {
        let (compared, baselines) = compare_on(&workload, flags, &files, &mut plane, &folder).await?;
        results.extend(compared);
        baseline_seconds.extend(baselines);
    }
    drop(plane);

    let bytes_per_hardware = bytes_per_hardware(&own.join("examples/memory")).await;
    let setting = setting(flags, &files).await;
    let mut results = Results {
        setting,
        results,
        baseline_seconds,
        idle_mib: Some(idle_mib),
        bytes_per_hardware,
        targets: Vec::new(),
    };
    results.targets = targets(&results);
    report(&results, flags)?;
    println!("logs: {}", folder.display());
    Ok(Outcome::Done { missed: results.targets.iter().filter(|target| target.is_met() == Some(false)).count() })
}

/// Every program in turn, as often as wanted, and where programs are compared, each time the seconds without any.
async fn compare_on(
    workload: &Workload,
    flags: &Flags,
    files: &Files,
    plane: &mut ControlPlane,
    folder: &Path,
) -> anyhow::Result<(Vec<Result>, Vec<f64>)> {
    let rounds = if workload.repeated { flags.rounds() } else { 1 };
    let is_wanted = |program: &&Program| flags.program.is_none_or(|wanted| wanted == **program);
    let programs = workload.programs.iter().filter(is_wanted);
    let mut runs: Vec<(Program, Vec<Run>)> = programs.map(|program| (*program, Vec::new())).collect();
    let mut baselines = Vec::new();
    for round in 1..=rounds {
        for (program, runs) in &mut runs {
            let what = format!(
                "{}: {} machines among {} Hardware, {}, run {round} of {rounds}",
                workload.name,
                workload.machines,
                workload.hardware,
                program.name()
            );
            println!("{what}");
            let begin = Instant::now();
            let place = folder.join(format!("{}-{}-{round}", workload.name, program.name()));
            let mut tries = 1;
            let (run, plan) = loop {
                match run::run(workload, *program, files, plane, &place).await {
                    Ok(done) => break done,
                    Err(error) if *program == Program::GoCapt && tries < TRIES => {
                        println!("  begun anew: {error:#}");
                        // Nobody clears up after a manager that is stuck.
                        *plane = stage::start(&files.go, &place.join(format!("again-{tries}"))).await?;
                        tries += 1;
                    }
                    Err(error) => return Err(error).context(what),
                }
            };
            println!("  {} (took {} s)", output::line(&run), begin.elapsed().as_secs());
            runs.push(run);
            if let Some(plan) = plan {
                let seconds = baseline::seconds(workload, &plan, plane).await.context("the run without a manager")?;
                println!("{}: without a manager: ready in {seconds:.1} s", workload.name);
                baselines.push(seconds);
            }
        }
    }
    let results = runs.into_iter().map(|(program, runs)| Result::of(*workload, program, runs)).collect();
    Ok((results, baselines))
}

fn is_wanted(workload: &Workload, flags: &Flags) -> bool {
    flags.only.is_empty() || flags.only.iter().any(|name| workload.name.starts_with(name.as_str()))
}

/// The folder of what cargo built: this program's own.
fn own_programs() -> anyhow::Result<PathBuf> {
    let file = std::env::current_exe().context("this program's own file")?;
    Ok(file.parent().context("this program's own folder")?.to_path_buf())
}

/// The folder of this comparison's logs; those of the last one are deleted.
fn fresh_folder(flags: &Flags) -> anyhow::Result<PathBuf> {
    let folder = absolute(&flags.target().join("capt-bench"))?;
    if folder.exists() {
        std::fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
    }
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    Ok(folder)
}

/// Processes get paths that hold wherever they run.
fn absolute(path: &Path) -> anyhow::Result<PathBuf> {
    std::path::absolute(path).with_context(|| path.display().to_string())
}

/// What capt-kube's example measures; none if it was not built.
async fn bytes_per_hardware(example: &Path) -> Option<u64> {
    let output = Command::new(example).output().await.ok()?;
    String::from_utf8(output.stdout).ok()?.split_whitespace().next()?.parse().ok()
}

async fn setting(flags: &Flags, files: &Files) -> Setting {
    let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.trim_start_matches([' ', '\t', ':']).trim().to_owned()
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = field(&read("/proc/meminfo"), "MemTotal");
    let memory: u64 = memory.split_whitespace().next().and_then(|kib| kib.parse().ok()).unwrap_or_default();
    let machine = format!(
        "{}, {cores} cores, {} GiB of memory, Linux {}",
        field(&read("/proc/cpuinfo"), "model name"),
        memory.div_ceil(1 << 20),
        read("/proc/sys/kernel/osrelease").trim(),
    );
    let first_line = async |command: &mut Command| {
        let output = command.output().await.map(|output| output.stdout).unwrap_or_default();
        String::from_utf8_lossy(&output).lines().next().unwrap_or_default().to_owned()
    };
    let ours = first_line(Command::new(&files.capt_manager).arg("--version")).await;
    let go = first_line(Command::new("go").arg("version")).await;
    let version = |text: &str, word: usize| text.split_whitespace().nth(word).unwrap_or("?").to_owned();
    let versions = vec![
        ("capt-manager".to_owned(), version(&ours, 1)),
        ("Go CAPT".to_owned(), pins::GO_CAPT.version.to_owned()),
        ("Kubernetes".to_owned(), pins::KUBERNETES.version.to_owned()),
        ("etcd".to_owned(), pins::ETCD.version.to_owned()),
        ("Go".to_owned(), version(&go, 2)),
    ];
    let date = jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC").to_string();
    Setting { date, machine, versions, quick: flags.quick }
}

fn report(results: &Results, flags: &Flags) -> anyhow::Result<()> {
    println!("\n{}", output::table::table(results));
    println!("{}", output::table::targets(&results.targets));
    if let Some(file) = &flags.output {
        std::fs::write(file, format!("{}\n", serde_json::to_string_pretty(results)?))
            .with_context(|| file.display().to_string())?;
    }
    if let Some(folder) = flags.docs() {
        std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        for (name, text) in output::markdown::files(results, &flags.target()) {
            let file = folder.join(name);
            std::fs::write(&file, text).with_context(|| file.display().to_string())?;
            println!("written: {}", file.display());
        }
    }
    Ok(())
}
