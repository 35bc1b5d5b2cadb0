//! `cargo xtask simulate`: plays worlds from seeds.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use capt_simulate::plan::{Event, Happening, Plan};
use capt_simulate::{Report, crowd::crowd, play, shrink::shrink, stage::play_traced};
use clap::Parser;

/// Plays whole worlds from seeds, and checks the rules at every write.
#[derive(Parser)]
#[command(name = "cargo xtask simulate", bin_name = "cargo xtask simulate")]
struct Cli {
    /// How many seeds to play
    #[arg(long, default_value_t = 1000)]
    seeds: u64,
    /// The first of them
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Play this one only, and tell all about it
    #[arg(long)]
    seed: Option<u64>,
    /// With --seed: let only these events happen, by their number in the list
    #[arg(long, value_delimiter = ',', requires = "seed")]
    only: Option<Vec<usize>>,
    /// With --seed: print every write
    #[arg(long, requires = "seed")]
    writes: bool,
    /// How many threads play
    #[arg(long)]
    threads: Option<usize>,
    /// How many of the failed seeds are shrunk and shown
    #[arg(long, default_value_t = 3)]
    show: usize,
    /// At most so many runs to shrink one failed seed
    #[arg(long, default_value_t = 200)]
    shrink: usize,
}

/// After so many seeds the program says how far it is.
const SIGN_OF_LIFE: u64 = 500;

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Some(seed) = cli.seed {
        return one(seed, &cli);
    }
    let threads = cli.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let began = Instant::now();
    let failed = std::sync::Mutex::new(Vec::new());
    let told = |seed: u64, report: &Report| {
        if let (Ok(mut failed), Some(first)) = (failed.lock(), report.failures.first()) {
            println!("seed {seed} failed: {first}\n    cargo xtask simulate --seed {seed}");
            failed.push((seed, first.kind.clone()));
        }
    };
    let figures = crowd(cli.from, cli.seeds, threads, told, |played| {
        if played % SIGN_OF_LIFE == 0 {
            println!("{played} of {} seeds played after {} s", cli.seeds, began.elapsed().as_secs());
        }
    });
    let mut failed = failed.into_inner().unwrap_or_default();
    println!("{figures}{:>12.1}  seconds on {threads} threads", began.elapsed().as_secs_f64());
    // One of each kind first, and of those the smallest seed.
    failed.sort();
    let mut kinds = std::collections::BTreeSet::new();
    failed.sort_by_key(|(_, kind)| !kinds.insert(kind.clone()));
    for (seed, kind) in failed.iter().take(cli.show) {
        show_shrunk(*seed, kind, cli.shrink);
    }
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Plays one seed and tells everything.
fn one(seed: u64, cli: &Cli) -> ExitCode {
    let whole = Plan::of(seed);
    let plan = cli.only.as_ref().map_or_else(|| whole.clone(), |kept| whole.only(kept));
    let numbers: Vec<usize> = cli.only.clone().unwrap_or_else(|| (0..whole.events.len()).collect());
    describe(&whole, &numbers);
    let report = if cli.writes { play_traced(&plan) } else { play(&plan) };
    if cli.writes {
        report.trace.iter().for_each(|line| println!("  {line}"));
    }
    tell(&report);
    match report.failures.first() {
        None => ExitCode::SUCCESS,
        Some(first) => {
            if cli.only.is_none() {
                show_shrunk(seed, &first.kind, cli.shrink);
            }
            ExitCode::FAILURE
        }
    }
}

fn show_shrunk(seed: u64, kind: &str, runs: usize) {
    let whole = Plan::of(seed);
    let (kept, made) = shrink(&whole, kind, runs);
    let only: Vec<String> = kept.iter().map(ToString::to_string).collect();
    println!("\nseed {seed} shrinks to {} of {} events ({made} runs):", kept.len(), whole.events.len());
    describe(&whole, &kept);
    tell(&play(&whole.only(&kept)));
    println!("  cargo xtask simulate --seed {seed} --only {}", only.join(","));
}

fn tell(report: &Report) {
    if report.failures.is_empty() {
        let simulated = Duration::from_secs(report.simulated.as_secs());
        println!("  nothing was wrong; {} writes of the manager in {simulated:?}", report.writes);
    }
    report.failures.iter().take(6).for_each(|failure| println!("  => {failure}"));
    if report.failures.len() > 6 {
        println!("  => and {} more", report.failures.len() - 6);
    }
}

/// The world and what happens in it, as a list.
fn describe(plan: &Plan, numbers: &[usize]) {
    println!("  world: {}; the end begins at {} s", plan.world, plan.end.as_secs());
    for number in numbers {
        if let Some(Event { when, what }) = plan.events.get(*number) {
            println!("  {number:>3}  {:<14} {}", when.to_string(), words(plan, what));
        }
    }
}

fn words(plan: &Plan, what: &Happening) -> String {
    let machine =
        |at: &usize| plan.world.machines.get(*at).map(|m| format!("{}/{}", m.namespace, m.name)).unwrap_or_default();
    let server =
        |at: &usize| plan.world.servers.get(*at).map(|s| format!("{}/{}", s.namespace, s.name)).unwrap_or_default();
    match what {
        Happening::Rack(at) => {
            format!("server {}", plan.world.servers.get(*at).map(|server| server.words()).unwrap_or_default())
        }
        Happening::Create(at) => {
            format!("machine {}", plan.world.machines.get(*at).map(|machine| machine.words()).unwrap_or_default())
        }
        Happening::Delete(at) => format!("machine {} is deleted", machine(at)),
        Happening::Refuse { how, resource, reads, after, times } => {
            let which = if *reads { "requests" } else { "writes" };
            let to = resource.map(|plural| format!(" to {plural}")).unwrap_or_default();
            format!("{times} {which} of the manager{to} fail ({how:?}), after {after} that pass")
        }
        Happening::EndWatches(of) => format!("watches end: {}", of.unwrap_or("all")),
        Happening::Compact => "the server forgets its history: 410 Gone".to_owned(),
        Happening::Kill(pause) => format!("the manager is killed, and starts again after {pause:?}"),
        Happening::Crash { writes, lost } => {
            let lost = if *lost { ", whose answer is lost" } else { "" };
            format!("the manager dies after {writes} more writes{lost}")
        }
        Happening::Second => "a second manager starts beside the first".to_owned(),
        Happening::ProviderDown(while_) => format!("the IPAM provider is down for {while_:?}"),
        Happening::Bmc(at, fault, Some(times)) => format!("the BMC of {} fails {times} times ({fault:?})", server(at)),
        Happening::Bmc(at, fault, None) => format!("the BMC of {} fails until the end ({fault:?})", server(at)),
        Happening::Workflows(fault, times) => format!("{times} Workflows go wrong ({fault:?})"),
        Happening::StripLabels(at) => format!("the owner labels of {} are stripped", server(at)),
        Happening::StripFinalizers(at) => format!("the finalizers of {} are stripped", server(at)),
        Happening::WipeUserData(at) => format!("userData of {} is wiped", server(at)),
        Happening::WipeAddress(at) => format!("the address of {} is wiped", server(at)),
        Happening::Unmark(at) => format!("the provisioned mark of {} is taken", server(at)),
        Happening::Replace(at) => format!("{} is replaced by its first manifest", server(at)),
        Happening::DeleteHardware(at) => format!("{} is deleted", server(at)),
        Happening::Recreate(at) => format!("{} is deleted without its finalizers, and created anew", server(at)),
        Happening::SetAside(at) => format!("{} is set aside", server(at)),
        Happening::DeleteWorkflows(at) => format!("Workflows on {} are deleted", server(at)),
        Happening::DeleteTemplates(at) => format!("Templates beside {} are deleted", server(at)),
        Happening::DeleteJobs(at) => format!("BMC Jobs beside {} are deleted", server(at)),
        Happening::DeleteBmc(at, Some(while_)) => format!("the BMC Machine of {} is gone for {while_:?}", server(at)),
        Happening::DeleteBmc(at, None) => format!("the BMC Machine of {} is gone for good", server(at)),
        Happening::PauseCluster(at, while_) => format!("the Cluster of {} is paused for {while_:?}", machine(at)),
        Happening::PauseMachine(at, while_) => format!("machine {} is paused for {while_:?}", machine(at)),
        Happening::DeleteSecret(at) => format!("the bootstrap data of {} is deleted", machine(at)),
        Happening::Odd(at, odd) => format!("beside {} comes something odd: {odd:?}", machine(at)),
        Happening::DeleteNamespace(at) => format!("the namespace of {} is deleted", machine(at)),
        Happening::Reinstall(at) => format!("somebody asks to reinstall {}", machine(at)),
    }
}
