//! `cargo xtask check-model`.

use std::process::ExitCode;
use std::time::Duration;

use capt_model::explore::{Found, Limits, explore};
use capt_model::faults::Fault;
use capt_model::scenario::Scenario;
use clap::Parser;

/// Tries every order of events in small worlds and checks the rules of the manager in each state.
#[derive(Parser)]
struct Cli {
    /// Which worlds; all if none is named
    worlds: Vec<String>,
    /// Events in a row at most
    #[arg(long, default_value_t = 1000)]
    depth: usize,
    /// States of one world at most
    #[arg(long, default_value_t = 4_000_000)]
    states: usize,
    /// Seconds for one world at most
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// Explore the order also of what nobody but its author looks at
    #[arg(long)]
    every_order: bool,
    /// Put faults of the past back, one by one, each in a world where it shows; each must be found
    #[arg(long)]
    faults: bool,
    /// Name the worlds and try none
    #[arg(long)]
    list: bool,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let limits = Limits { depth: cli.depth, states: cli.states, time: Duration::from_secs(cli.seconds) };
    let wanted = |name: &str| cli.worlds.is_empty() || cli.worlds.iter().any(|wanted| wanted == name);
    let all = if cli.faults { Fault::ALL.map(Scenario::of).to_vec() } else { Scenario::all() };
    let mut is_well = true;
    for mut world in all.into_iter().filter(|world| wanted(world.name)) {
        println!("{}: {}", world.name, world.about);
        if cli.list {
            continue;
        }
        world.every_order = cli.every_order;
        let found = explore(&world, limits, cli.faults, |depth, states| {
            if depth.is_multiple_of(10) {
                eprintln!("  depth {depth}: {states} states");
            }
        });
        tell(&found);
        is_well &= found.broken.is_empty() != cli.faults;
    }
    if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn tell(found: &Found) {
    let end = if found.complete { "all of them" } else { "not all: the limit was reached" };
    println!(
        "  {} states, {} transitions, depth {}, {:.1} s, {} MiB; {end}",
        found.states,
        found.transitions,
        found.depth,
        found.time.as_secs_f64(),
        memory().unwrap_or_default()
    );
    for broken in &found.broken {
        println!("  BROKEN {}", broken.rule);
        for (n, event) in broken.events.iter().enumerate() {
            println!("    {:>3}. {event}", n + 1);
        }
    }
}

/// The most memory that this process had, in MiB.
fn memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib / 1024)
}
