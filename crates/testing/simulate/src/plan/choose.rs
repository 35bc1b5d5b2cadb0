//! How a seed chooses.

use std::time::Duration;

use capt_simulators::bmc::JobFault;
use capt_simulators::ipam::Family;
use capt_simulators::tinkerbell::WorkflowFault;
use fastrand::Rng;

use super::{Boot, Event, Happening, MachinePlan, Odd, Refusal, ServerPlan, When, World};

/// Resources at which requests of the manager may fail.
const RESOURCES: [&str; 8] = [
    "hardware",
    "tinkerbellmachines",
    "ipaddressclaims",
    "workflows",
    "templates",
    "jobs",
    "secrets",
    "tinkerbellclusters",
];
/// Kinds whose watches may be late.
const WATCHED: [&str; 8] =
    ["hardware", "tinkerbellmachines", "ipaddressclaims", "ipaddresses", "workflows", "templates", "jobs", "machines"];
/// Namespaces of machines, and that of servers which all of them use.
const TENANTS: [&str; 2] = ["tenant-a", "tenant-b"];
const SHARED: &str = "metal";

fn one<T: Copy>(random: &mut Rng, of: &[T]) -> Option<T> {
    random.choice(of).copied()
}

fn millis(random: &mut Rng, of: &[u64]) -> Duration {
    Duration::from_millis(one(random, of).unwrap_or_default())
}

/// True once in so many times.
fn once_in(random: &mut Rng, times: u32) -> bool {
    random.u32(0..times) == 0
}

pub(super) fn world(random: &mut Rng) -> World {
    let tenants = if once_in(random, 3) { 2 } else { 1 };
    let shared = once_in(random, 2);
    let count = random.usize(1..=3);
    let namesakes = tenants == 2 && random.bool();
    let long = once_in(random, 6);
    let pools = !once_in(random, 4);
    let boots = [Boot::Button, Boot::Netboot, Boot::Netboot, Boot::Iso, Boot::Custom];
    let boot = one(random, &boots).unwrap_or(Boot::Netboot);
    let machines = (0..count).map(|n| {
        let namespace = TENANTS.get(n % tenants).copied().unwrap_or(SHARED);
        let number = if namesakes { n / tenants } else { n };
        let name = if long {
            format!("production-frankfurt-worker-pool-large-7c9f8d6b5f-abcd{number}")
        } else {
            format!("m{number}")
        };
        MachinePlan { namespace, name, pool: pools && !once_in(random, 5), boot }
    });
    let machines: Vec<MachinePlan> = machines.collect();
    let spare = random.usize(0..=2);
    let all_bmcs = !once_in(random, 5);
    let servers = (0..count + spare).map(|n| ServerPlan {
        namespace: if shared { SHARED } else { TENANTS.get(n % tenants).copied().unwrap_or(SHARED) },
        name: format!("hw{n}"),
        number: u8::try_from(n).unwrap_or_default(),
        bmc: all_bmcs || random.bool(),
        manual: !pools || once_in(random, 8),
    });
    let servers = servers.collect();
    let late = if once_in(random, 2) { Vec::new() } else { late_watches(random) };
    World {
        machines,
        servers,
        family: if once_in(random, 3) { Family::Metal3 } else { Family::InCluster },
        addresses: random.u8(1..=6),
        reuse_grace: if once_in(random, 6) { Duration::from_secs(20) } else { Duration::ZERO },
        workflow_step: millis(random, &[5, 5, 300, 2_000, 10_000]),
        bmc_latency: millis(random, &[5, 5, 200, 1_500, 4_000]),
        power_checks: millis(random, &[20_000, 180_000, 1_800_000]),
        collector: millis(random, &[0, 0, 500, 5_000, 40_000]),
        bmc_workers: one(random, &[1, 1, 16]).unwrap_or(1),
        cached: random.bool(),
        late,
    }
}

fn late_watches(random: &mut Rng) -> Vec<(&'static str, Duration)> {
    let count = random.usize(1..=3);
    let mut late: Vec<_> =
        (0..count).filter_map(|_| Some((one(random, &WATCHED)?, millis(random, &[20, 200, 1_000, 4_000])))).collect();
    late.sort_unstable();
    late.dedup_by_key(|(plural, _)| *plural);
    late
}

pub(super) fn events(random: &mut Rng, world: &World) -> (Vec<Event>, Duration) {
    let mut events = Vec::new();
    for n in 0..world.servers.len() {
        let when = if once_in(random, 6) { random.u64(0..40_000) } else { 0 };
        events.push(Event { when: When::After(Duration::from_millis(when)), what: Happening::Rack(n) });
    }
    for n in 0..world.machines.len() {
        let when = Duration::from_millis(random.u64(0..20_000));
        events.push(Event { when: When::After(when), what: Happening::Create(n) });
        if once_in(random, 2) {
            events.push(Event { when: moment(random), what: Happening::Delete(n) });
            if random.bool() {
                let when = When::After(Duration::from_millis(random.u64(20_000..150_000)));
                events.push(Event { when, what: Happening::Create(n) });
            }
        }
    }
    let odd = if once_in(random, 3) { random.usize(1..=3) } else { 0 };
    for _ in 0..odd {
        let machine = random.usize(0..world.machines.len().max(1));
        let when = When::After(Duration::from_millis(random.u64(0..30_000)));
        events.extend(one(random, &Odd::ALL).map(|odd| Event { when, what: Happening::Odd(machine, odd) }));
    }
    if once_in(random, 12) {
        let machine = random.usize(0..world.machines.len().max(1));
        events.push(Event { when: moment(random), what: Happening::DeleteNamespace(machine) });
    }
    let count = random.usize(0..=7);
    for _ in 0..count {
        events.push(Event { when: moment(random), what: happening(random, world) });
    }
    let end = Duration::from_secs(random.u64(60..240));
    (events, end)
}

/// Often right behind a write, where races are; else at any time.
fn moment(random: &mut Rng) -> When {
    if random.bool() {
        When::Writes(random.u64(1..60))
    } else {
        // Early times are as likely as late ones, in each order of magnitude.
        let exponent = random.f64() * 5.2;
        When::After(Duration::from_millis(10_f64.powf(exponent) as u64))
    }
}

fn happening(random: &mut Rng, world: &World) -> Happening {
    let server = random.usize(0..world.servers.len().max(1));
    let machine = random.usize(0..world.machines.len().max(1));
    let while_ = Duration::from_millis(random.u64(100..60_000));
    match random.u32(0..45) {
        0..=9 => refusal(random),
        10..=11 => Happening::EndWatches(if random.bool() { one(random, &WATCHED) } else { None }),
        12..=13 => Happening::Compact,
        14..=15 => Happening::Kill(if random.bool() { Duration::ZERO } else { while_ }),
        16..=18 => Happening::Crash { writes: random.u64(0..25), lost: random.bool() },
        19 => Happening::Second,
        20 => Happening::ProviderDown(while_),
        21..=24 => {
            let faults = [
                JobFault::Fails,
                JobFault::ConnectError,
                JobFault::NeverReports,
                JobFault::NeverAnswers,
                JobFault::Ignores,
                JobFault::OffIsAnError,
                JobFault::OffIsAnError,
            ];
            let fault = one(random, &faults).unwrap_or(JobFault::Fails);
            // A strike a look: those cannot be counted.
            let counts = !matches!(fault, JobFault::NeverReports | JobFault::NeverAnswers);
            let times = (counts && random.bool()).then(|| random.u32(1..4));
            Happening::Bmc(server, fault, times)
        }
        25..=26 => {
            let faults = [
                WorkflowFault::RenderFails,
                WorkflowFault::PreparingFails,
                WorkflowFault::AgentFails,
                WorkflowFault::AgentTimesOut,
                WorkflowFault::LateSuccess,
            ];
            Happening::Workflows(one(random, &faults).unwrap_or(WorkflowFault::AgentFails), random.u32(1..3))
        }
        27..=28 => Happening::StripLabels(server),
        29 => Happening::StripFinalizers(server),
        30 => Happening::WipeUserData(server),
        31 => Happening::WipeAddress(server),
        32 => Happening::Unmark(server),
        33 => Happening::Replace(server),
        34 => Happening::DeleteHardware(server),
        35 => Happening::Recreate(server),
        36 => Happening::SetAside(server),
        37..=38 => Happening::DeleteWorkflows(server),
        39 => Happening::DeleteTemplates(server),
        40 => Happening::DeleteJobs(server),
        41 => Happening::DeleteBmc(server, (!once_in(random, 3)).then_some(while_)),
        42 => Happening::PauseCluster(machine, while_),
        43 => Happening::PauseMachine(machine, while_),
        44 if random.bool() => Happening::DeleteSecret(machine),
        _ => Happening::Reinstall(machine),
    }
}

fn refusal(random: &mut Rng) -> Happening {
    let ways = [
        Refusal::Conflict,
        Refusal::Broken,
        Refusal::Unavailable,
        Refusal::Busy,
        Refusal::LostBefore,
        Refusal::LostAfter,
        Refusal::BrokenBefore,
        Refusal::BrokenAfter,
        Refusal::Slow,
    ];
    let how = one(random, &ways).unwrap_or(Refusal::Conflict);
    let resource = if random.bool() { one(random, &RESOURCES) } else { None };
    Happening::Refuse { how, resource, reads: once_in(random, 4), after: random.u64(0..12), times: random.u64(1..4) }
}
