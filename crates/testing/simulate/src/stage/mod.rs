//! Plays a plan.

mod act;
mod end;
mod kinds;
mod late;
mod objects;
mod odd;
mod requests;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use capt_invariants::Observer;
use capt_kube::client::RESPONSE_TIMEOUT;
use capt_kube::clock::TokioClock;
use capt_kube::{Clients, Manager, Settings, chance};
use capt_simulators::{Running, Simulators, bmc, ipam, tinkerbell};
use jiff::Timestamp;
use kube::Client;
use memory_apiserver::{FaultId, MemoryApiServer, WriteRecord};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tower::Layer;

use crate::plan::{Happening, Plan, When};
use crate::report::Report;
use late::{LateService, Lateness};
use requests::PERSON;

/// Who the manager is to the server.
const MANAGER: &str = "capt-manager";
/// The worlds' time at their start: 2026-01-01T00:00:00Z.
const START: i64 = 1_767_225_600;

thread_local! {
    /// Panics of this thread.
    static PANICS: Cell<u64> = const { Cell::new(0) };
}

/// Plays a plan to its end. The same plan gives the same run.
#[must_use]
pub fn play(plan: &Plan) -> Report {
    play_with(plan, false)
}

/// As [`play`], and keeps every write.
#[must_use]
pub fn play_traced(plan: &Plan) -> Report {
    play_with(plan, true)
}

fn play_with(plan: &Plan, traced: bool) -> Report {
    count_panics();
    let panics = PANICS.get();
    chance::fix(Some(plan.seed));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let mut report = match runtime {
        Ok(runtime) => runtime.block_on(async { Stage::new(plan.clone(), traced).play().await }),
        Err(error) => {
            let mut report = Report::default();
            report.fail("the world does not begin", error.to_string());
            report
        }
    };
    chance::fix(None);
    let panicked = PANICS.get() - panics;
    if panicked > 0 {
        report.fail("panic", format!("{panicked} panics"));
    }
    report
}

/// A panic in the work on one object is caught by the manager; here it is a failure.
fn count_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let tell = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            PANICS.set(PANICS.get() + 1);
            tell(info);
        }));
    });
}

/// A world while it is played.
pub(crate) struct Stage {
    plan: Plan,
    server: MemoryApiServer,
    simulators: Running,
    observer: Observer,
    person: Client,
    lateness: Lateness,
    clock: TokioClock,
    managers: Vec<JoinHandle<anyhow::Result<()>>>,
    seen: Arc<Seen>,
    began: Instant,
    /// What was begun and must be ended, by time.
    agenda: BTreeMap<(Instant, u64), Later>,
    agenda_number: u64,
    /// Faults of requests, with what they count as.
    faults: Vec<(FaultId, &'static str)>,
    /// Servers whose BMC Machine is gone for good.
    without_bmc: BTreeSet<usize>,
    /// Namespaces that somebody deletes.
    ending: BTreeSet<&'static str>,
    report: Report,
}

/// What was seen of the writes.
#[derive(Default)]
struct Seen {
    /// Writes of the manager, without Events.
    writes: AtomicU64,
    all: AtomicU64,
    more: Notify,
    ready: Mutex<BTreeSet<String>>,
    gone: AtomicU64,
    trace: Mutex<Vec<String>>,
}

/// What is due later.
#[derive(Clone, Copy, Debug)]
enum Later {
    StartManager,
    /// A crash was ordered: has it struck?
    Struck,
    ProviderUp,
    BmcBack(usize),
    UnpauseCluster(usize),
    UnpauseMachine(usize),
}

impl Stage {
    fn new(plan: Plan, traced: bool) -> Self {
        let start = Timestamp::from_second(START).unwrap_or_default();
        let server = MemoryApiServer::builder()
            .journal(0)
            .managed_fields(false)
            .start_time(start)
            .seed(plan.seed)
            .garbage_collector_delay(plan.world.collector)
            .build();
        let mut report = Report::default();
        if let Err(error) = kinds::install(&server) {
            report.fail("the world does not begin", error);
        }
        let simulators = simulators(&plan, &server, start);
        let observer = Observer::new(MANAGER);
        observer.attach(&server.journal(), simulators.power());
        let seen = Arc::new(Seen::default());
        let watched = seen.clone();
        server.journal().on_write(move |record| watched.see(record, traced));
        Self {
            person: server.client(PERSON),
            lateness: Lateness::of(&plan.world.late),
            clock: TokioClock::showing(start),
            simulators,
            observer,
            server,
            managers: Vec::new(),
            seen,
            began: Instant::now(),
            agenda: BTreeMap::new(),
            agenda_number: 0,
            faults: Vec::new(),
            without_bmc: BTreeSet::new(),
            ending: BTreeSet::new(),
            report,
            plan,
        }
    }

    async fn play(mut self) -> Report {
        self.set_up().await;
        self.start_manager();
        self.happen().await;
        self.end().await;
        self.take_down().await;
        self.report
    }

    /// Lets everything happen in its time, until the end begins.
    async fn happen(&mut self) {
        let events = std::mem::take(&mut self.plan.events);
        let (mut by_time, mut by_write) = (Vec::new(), Vec::new());
        for event in events {
            match event.when {
                When::After(time) => by_time.push((self.began + time, event.what)),
                When::Writes(writes) => by_write.push((writes, event.what)),
            }
        }
        let (mut by_time, mut by_write) = (by_time.into_iter().peekable(), by_write.into_iter().peekable());
        let end = self.began + self.plan.end;
        loop {
            while let Some((_, what)) =
                by_write.next_if(|(writes, _)| *writes <= self.seen.writes.load(Ordering::Relaxed))
            {
                self.act(what).await;
            }
            let now = Instant::now();
            if let Some((_, what)) = by_time.next_if(|(at, _)| *at <= now) {
                self.act(what).await;
                continue;
            }
            if self.attend_to_agenda().await {
                continue;
            }
            if now >= end {
                return;
            }
            let timed = by_time.peek().map(|(at, _)| *at);
            let due = self.agenda.first_key_value().map(|((at, _), _)| *at);
            let next = [timed, due, Some(end)].into_iter().flatten().min().unwrap_or(end);
            tokio::select! {
                biased;
                () = self.seen.more.notified(), if by_write.peek().is_some() => {}
                () = tokio::time::sleep_until(next) => {}
            }
        }
    }

    /// Does one thing that is due; says whether there was one.
    async fn attend_to_agenda(&mut self) -> bool {
        let Some(entry) = self.agenda.first_entry().filter(|entry| entry.key().0 <= Instant::now()) else {
            return false;
        };
        let later = entry.remove();
        self.attend(later).await;
        true
    }

    fn later(&mut self, after: Duration, what: Later) {
        self.agenda_number += 1;
        self.agenda.insert((Instant::now() + after, self.agenda_number), what);
    }

    fn start_manager(&mut self) {
        let service = LateService { server: self.server.service(MANAGER), lateness: self.lateness.clone() };
        // As in production: an answer that does not come is given up.
        let service = tower::timeout::TimeoutLayer::new(RESPONSE_TIMEOUT).layer(service);
        let clients = Clients::from(Client::new(service, "default"));
        let settings = Settings { clock: Some(self.clock), ..Settings::default() };
        let manager = Manager::new(clients, settings);
        self.managers.push(tokio::spawn(async move { manager.run(CancellationToken::new()).await }));
    }

    /// Ends all managers as `kill -9` does.
    async fn kill_managers(&mut self) {
        for manager in self.managers.drain(..) {
            if manager.is_finished() {
                let ended = manager.await;
                self.report.fail("the manager ended by itself", format!("{ended:?}"));
                continue;
            }
            manager.abort();
            // It was told to end.
            drop(manager.await);
        }
    }

    async fn take_down(&mut self) {
        self.kill_managers().await;
        self.simulators.stop().await;
        self.count_faults();
        let seen = self.seen.clone();
        let report = &mut self.report;
        // What was broken while it was played comes before what was found in the end.
        let found = std::mem::take(&mut report.failures);
        for violation in self.observer.violations() {
            report.fail(format!("{:?}", violation.rule), violation.to_string());
        }
        report.failures.extend(found);
        report.writes = self.observer.writes();
        report.checks = seen.all.load(Ordering::Relaxed);
        report.ready = seen.ready.lock().len() as u64;
        report.released = seen.gone.load(Ordering::Relaxed);
        report.simulated = self.began.elapsed();
        report.trace = std::mem::take(&mut seen.trace.lock());
    }

    fn count_faults(&mut self) {
        for (id, kind) in std::mem::take(&mut self.faults) {
            self.count(kind, self.server.faults().hits(id));
        }
    }

    fn count(&mut self, kind: &'static str, times: u64) {
        if times > 0 {
            *self.report.happened.entry(kind).or_default() += times;
        }
    }

    async fn act(&mut self, what: Happening) {
        // Requests that fail are counted when they fail.
        if !matches!(what, Happening::Refuse { .. }) {
            self.count(what.kind(), 1);
        }
        self.perform(what).await;
    }
}

fn simulators(plan: &Plan, server: &MemoryApiServer, start: Timestamp) -> Running {
    let world = &plan.world;
    let clients = {
        let server = server.clone();
        move |user: &str| server.client(user)
    };
    let ipam =
        ipam::Options { reuse_grace: world.reuse_grace, start_time: Some(start), ..ipam::Options::of(world.family) };
    let tinkerbell = tinkerbell::Options {
        step: world.workflow_step,
        coarse: true,
        cached: world.cached,
        start_time: Some(start),
        ..tinkerbell::Options::default()
    };
    let bmc = bmc::Options {
        latency: world.bmc_latency,
        coarse: true,
        workers: world.bmc_workers,
        power_check_interval: world.power_checks,
        start_time: Some(start),
        ..bmc::Options::default()
    };
    Simulators::builder(clients).ipam([ipam]).tinkerbell(tinkerbell).bmc(bmc).cluster_api(None).start()
}

impl Seen {
    fn see(&self, record: &WriteRecord, traced: bool) {
        self.all.fetch_add(1, Ordering::Relaxed);
        let of_machine = &*record.resource == "tinkerbellmachines";
        if let Some(new) = record.new.as_deref().filter(|_| of_machine)
            && new.pointer("/status/ready") == Some(&serde_json::Value::Bool(true))
        {
            self.ready.lock().insert(capt_invariants::text(new, "/metadata/uid").to_owned());
        }
        if of_machine && record.new.is_none() {
            self.gone.fetch_add(1, Ordering::Relaxed);
        }
        if traced {
            let mut hasher = DefaultHasher::new();
            record.new.as_ref().map(ToString::to_string).hash(&mut hasher);
            let sub = if record.subresource.is_empty() { "" } else { "/" };
            self.trace.lock().push(format!(
                "{} {} {} {} {}{sub}{} {}/{} {:016x}",
                record.sequence,
                record.time,
                record.user,
                record.verb,
                record.resource,
                record.subresource,
                record.namespace,
                record.name,
                hasher.finish()
            ));
        }
        if &*record.user == MANAGER && &*record.resource != "events" && !record.is_lease() {
            self.writes.fetch_add(1, Ordering::Relaxed);
            self.more.notify_one();
        }
    }
}
