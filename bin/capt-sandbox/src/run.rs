//! A run, from the first object to the last.

use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::board::{Address, Board, Row, Stage};
use crate::environment::Environment;
use crate::example::example;
use crate::faults::{Borne, Fault, Injected, Shown, Told};
use crate::flags::{Flags, Output};
use crate::install::{Installer, machines_wanted};
use crate::manifests::{BadInput, Document, read};
use crate::screen::Screen;
use crate::summary::{Phases, Summary, Writes, round};

/// Time between two looks at the board.
const TICK: Duration = Duration::from_millis(20);
/// How many of those that are stuck a message names.
const NAMED: usize = 10;

/// Plays, and returns whether all went well. What went wrong was told then.
///
/// # Errors
/// [`BadInput`], if the input is at fault; any other error if the run could not go on.
pub async fn run(flags: Flags) -> anyhow::Result<bool> {
    let documents = if flags.files.is_empty() { example(flags.size(), flags.provider)? } else { read(&flags.files)? };
    let wanted = machines_wanted(&documents);
    let begin = Instant::now();
    let mut screen = Screen::new(flags.output, wanted);
    screen.say(match flags.kubeconfig {
        None => "starting an API server in memory, the simulators around CAPT, and CAPT's controllers",
        Some(_) => "installing missing CRDs on the control plane, and starting the simulators around CAPT",
    });
    let environment = Environment::open(flags.kubeconfig.as_deref(), Fault::rufio(flags.faults())).await?;
    let interrupted = CancellationToken::new();
    listen_for_interrupts(interrupted.clone())?;
    let mut session = Session {
        installer: Installer::new(environment.client()),
        screen,
        timeout: flags.timeout(wanted),
        environment,
        flags,
        documents,
        wanted,
        installed: 0,
        interrupted,
        begin,
        writes: Writes::default(),
        phases: Phases::default(),
        addresses: Vec::new(),
        injected: Vec::new(),
        shown: Vec::new(),
    };
    let played = session.perform().await;
    let closed = session.close(played.is_ok()).await;
    let summary = session.summary();
    if session.flags.output == Output::Json && !played.as_ref().is_err_and(|error| error.is::<BadInput>()) {
        let line = serde_json::to_string(&summary).context("the summary")?;
        writeln!(std::io::stdout().lock(), "{line}").context("standard output")?;
    }
    for violation in &summary.violation_details {
        eprintln!("violation: {violation}");
    }
    played?;
    closed?;
    if session.flags.output == Output::Text {
        session.conclude(&summary);
    }
    Ok(summary.violations == 0)
}

/// The first Ctrl-C, or SIGTERM, begins the teardown; the second ends the program.
fn listen_for_interrupts(interrupted: CancellationToken) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT")?;
    tokio::spawn(async move {
        let mut next = async || tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} };
        next().await;
        interrupted.cancel();
        next().await;
        std::process::exit(130);
    });
    Ok(())
}

struct Session {
    environment: Environment,
    installer: Installer,
    screen: Screen,
    flags: Flags,
    documents: Vec<Document>,
    wanted: usize,
    /// How many of the documents are on the control plane.
    installed: usize,
    timeout: Duration,
    interrupted: CancellationToken,
    begin: Instant,
    writes: Writes,
    phases: Phases,
    addresses: Vec<Address>,
    /// Faults that were injected and have not shown.
    injected: Vec<Injected>,
    shown: Vec<Shown>,
}

impl Session {
    fn board(&self) -> &Board {
        self.environment.board()
    }

    async fn perform(&mut self) -> anyhow::Result<()> {
        // Who breaks nothing needs no second copy of so many objects.
        let whole = if self.flags.fault.is_empty() { Vec::new() } else { self.documents.clone() };
        self.inject(Fault::is_injected_first).await?;
        self.install().await?;
        self.watch_faults(&whole, Fault::shows_first).await?;
        self.provision().await?;
        if self.flags.keep {
            self.stay().await?;
        }
        self.release(&whole).await
    }

    async fn install(&mut self) -> anyhow::Result<()> {
        let begin = Instant::now();
        if self.environment.is_remote() {
            self.refuse_what_exists().await?;
        }
        self.screen.say(&format!("applying {} objects", self.documents.len()));
        for document in &self.documents {
            self.installer.create(document).await?;
            self.installed += 1;
        }
        self.phases.install = begin.elapsed().as_secs_f64();
        if self.wanted == 0 {
            // Only now: a document that the server refuses is the better news.
            let files = self.flags.files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>();
            let files = if files.is_empty() { "this size".to_owned() } else { files.join(", ") };
            return Err(BadInput::NoMachines { files }.into());
        }
        let servers = self.documents.iter().filter(|document| document.kind() == "Hardware").count();
        self.screen.say(&format!("{} machines wanted, {servers} servers", self.wanted));
        Ok(())
    }

    /// On somebody's own control plane nothing is made before it is sure that all of it is ours to take down again.
    async fn refuse_what_exists(&mut self) -> anyhow::Result<()> {
        for document in &self.documents {
            if self.installer.exists(document).await? {
                return Err(BadInput::Exists { document: document.describe() }.into());
            }
        }
        Ok(())
    }

    /// Breaks what the user asked for and belongs to this part of the run.
    async fn inject(&mut self, is_of_now: impl Fn(Fault) -> bool) -> anyhow::Result<()> {
        let Some(control_plane) = self.environment.control_plane() else { return Ok(()) };
        for fault in self.flags.faults().filter(|fault| is_of_now(*fault)) {
            let injected = Injected::inject(fault, control_plane, &mut self.installer, &mut self.documents).await?;
            self.injected.push(injected);
            self.screen.say(&format!("fault {fault}: {}", fault.words()));
        }
        Ok(())
    }

    /// Waits until each fault of this part of the run showed, says how, and mends it; `whole` are the objects as they
    /// were before.
    async fn watch_faults(&mut self, whole: &[Document], is_of_now: impl Fn(Fault) -> bool) -> anyhow::Result<()> {
        let mut waiting: Vec<Injected> = self.injected.extract_if(.., |injected| is_of_now(injected.fault())).collect();
        while !waiting.is_empty() {
            let mut found: Vec<(Injected, Shown)> = Vec::new();
            self.wait(|environment| {
                let Some(control_plane) = environment.control_plane() else { return true };
                waiting.retain_mut(|injected| match injected.shown(control_plane) {
                    Some(shown) => {
                        found.push((injected.clone(), shown));
                        false
                    }
                    None => true,
                });
                !found.is_empty()
            })
            .await?;
            if let (true, Some(silent)) = (found.is_empty(), waiting.first()) {
                bail!("{}", self.silence(silent.fault()));
            }
            for (injected, shown) in found {
                self.say(&shown);
                self.shown.push(shown);
                let Some(control_plane) = self.environment.control_plane() else { return Ok(()) };
                injected.mend(control_plane, &mut self.installer, whole).await?;
                if let Some(remedy) = injected.fault().remedy() {
                    self.screen.say(&format!("  resolved by: {remedy}"));
                }
            }
        }
        Ok(())
    }

    /// Why a fault that did not show ends the run.
    fn silence(&self, fault: Fault) -> String {
        let how = if fault.is_told() { "reported by condition and event" } else { "seen" };
        format!("fault {fault} was not {how} within {} s", self.timeout.as_secs())
    }

    fn say(&mut self, shown: &Shown) {
        match shown {
            Shown::Told(Told { machine, condition, reason, message, event, .. }) => {
                self.screen.say(&format!("  condition {condition} of {machine}, reason {reason}: {message}"));
                self.screen.say(&format!("  event {reason}: {event}"));
            }
            Shown::Borne(Borne { seen, .. }) => self.screen.say(&format!("  no action needed: {seen}")),
        }
    }

    async fn provision(&mut self) -> anyhow::Result<()> {
        let begin = Instant::now();
        let wanted = self.wanted;
        let done = self.wait(|environment| environment.board().count(Stage::Provisioned) >= wanted).await?;
        self.phases.provision = begin.elapsed().as_secs_f64();
        self.writes.provision = self.environment.observer().writes();
        self.addresses = self.board().addresses();
        if !done {
            bail!("{}", self.stuck_provisioning());
        }
        self.screen.table(&self.addresses);
        Ok(())
    }

    /// Stays up until Ctrl-C.
    async fn stay(&mut self) -> anyhow::Result<()> {
        if let Some(kubeconfig) = self.environment.serve().await? {
            // With JSON, standard output belongs to the object at the end.
            let line = format!("export KUBECONFIG={}", kubeconfig.display());
            match self.flags.output {
                Output::Text => self.screen.say(&line),
                Output::Json => eprintln!("{line}"),
            }
        }
        self.screen.say("Ctrl-C takes everything down");
        while !self.interrupted.is_cancelled() {
            self.check()?;
            self.screen.show(self.environment.board());
            tokio::select! {
                () = tokio::time::sleep(TICK) => {}
                () = self.interrupted.cancelled() => {}
            }
        }
        // The release that follows can be interrupted by the second Ctrl-C only, which ends the program.
        self.interrupted = CancellationToken::new();
        Ok(())
    }

    async fn release(&mut self, whole: &[Document]) -> anyhow::Result<()> {
        let begin = Instant::now();
        self.inject(|fault| !fault.is_injected_first()).await?;
        for document in self.roots() {
            self.installer.delete(&document).await?;
        }
        self.screen.say("deleted the Cluster");
        self.say_what_is_paused();
        self.watch_faults(whole, |fault| !fault.shows_first()).await?;
        let done = self.wait(|environment| environment.board().leftovers().is_empty()).await?;
        self.phases.release = begin.elapsed().as_secs_f64();
        self.writes.release = self.environment.observer().writes() - self.writes.provision;
        if !done {
            bail!("{}", self.stuck_releasing());
        }
        Ok(())
    }

    /// What a person paused is not released, and only a person can end that.
    fn say_what_is_paused(&mut self) {
        let paused = self.board().rows().iter().filter(|row| row.is_paused()).count();
        if paused > 0 {
            self.screen.say(&format!(
                "{paused} machines are paused and not released before that ends (kubectl patch cluster NAME --type merge -p \
                 '{{\"spec\":{{\"paused\":false}}}}'); Ctrl-C again ends the sandbox at once"
            ));
        }
    }

    /// What a user deletes to take everything down: Clusters, and machines without one.
    fn roots(&self) -> Vec<Document> {
        let is_root = |document: &&Document| {
            matches!(
                (document.group(), document.kind()),
                ("cluster.x-k8s.io", "Cluster" | "Machine") | ("infrastructure.cluster.x-k8s.io", "TinkerbellMachine")
            )
        };
        self.documents.iter().take(self.installed).filter(is_root).cloned().collect()
    }

    /// Shows the board until all is as wanted; false if that takes too long.
    async fn wait(&mut self, mut done: impl FnMut(&Environment) -> bool) -> anyhow::Result<bool> {
        let begin = Instant::now();
        let done = loop {
            self.check()?;
            if done(&self.environment) {
                break true;
            }
            if begin.elapsed() > self.timeout {
                break false;
            }
            self.screen.show(self.environment.board());
            tokio::select! {
                () = tokio::time::sleep(TICK) => {}
                () = self.interrupted.cancelled() => bail!("interrupted"),
            }
        };
        self.screen.settle(self.environment.board());
        Ok(done)
    }

    fn check(&self) -> anyhow::Result<()> {
        if self.environment.manager_has_ended() {
            bail!("the manager ended by itself; RUST_LOG=info tells why");
        }
        Ok(())
    }

    fn stuck_provisioning(&self) -> String {
        let rows = self.board().rows();
        let stuck: Vec<&Row> = rows.iter().filter(|row| row.stage != Stage::Provisioned).collect();
        let missing = self.wanted.saturating_sub(rows.len());
        let mut message = format!(
            "{} of {} machines are provisioned after {} s",
            self.board().count(Stage::Provisioned),
            self.wanted,
            self.timeout.as_secs()
        );
        if missing > 0 {
            message.push_str(&format!("; {missing} do not exist yet"));
        }
        message + &named(&stuck)
    }

    fn stuck_releasing(&self) -> String {
        let rows = self.board().rows();
        let stuck: Vec<&Row> = rows.iter().filter(|row| row.stage != Stage::Released).collect();
        let left = self.board().leftovers();
        format!("not everything is released after {} s; left are {left}{}", self.timeout.as_secs(), named(&stuck))
    }

    /// Removes the rest, stops what runs.
    async fn close(&mut self, went_well: bool) -> anyhow::Result<()> {
        let cleared = if self.environment.is_remote() { self.clear(went_well).await } else { Ok(()) };
        self.environment.close().await.and(cleared)
    }

    /// Leaves somebody's own control plane as it was, but for the CRDs.
    async fn clear(&mut self, went_well: bool) -> anyhow::Result<()> {
        if self.installed == 0 {
            return Ok(());
        }
        if !went_well {
            self.screen.say("taking down what was made");
            for document in self.roots() {
                self.installer.delete(&document).await?;
            }
            self.interrupted = CancellationToken::new();
            self.wait(|environment| environment.board().leftovers().is_empty()).await?;
        }
        let made: Vec<Document> = self.documents.iter().take(self.installed).rev().cloned().collect();
        for document in &made {
            self.installer.delete(document).await?;
        }
        let begin = Instant::now();
        for document in &made {
            // The simulators take their finalizers off.
            while self.installer.exists(document).await? {
                if begin.elapsed() > self.timeout {
                    bail!("{} is deleted and still there", document.describe());
                }
                tokio::time::sleep(TICK).await;
            }
        }
        Ok(())
    }

    fn summary(&self) -> Summary {
        // Whoever scales up by hand wants more machines than the objects asked for at first.
        let (seen, provisioned) = self.board().ever();
        let machines = self.wanted.max(seen);
        let addresses_in_use_after = self.board().leftovers().addresses;
        let violations = self.environment.observer().violations();
        let divisor = u32::try_from(machines).unwrap_or(u32::MAX);
        #[expect(clippy::cast_precision_loss, reason = "counts of writes are far below 2^52")]
        let writes = (self.writes.provision + self.writes.release) as f64;
        Summary {
            machines,
            provisioned,
            addresses: self.addresses.clone(),
            released: self.board().count(Stage::Released),
            addresses_in_use_after,
            writes_per_machine: round(writes / f64::from(divisor)),
            writes: self.writes,
            seconds: round(self.begin.elapsed().as_secs_f64()),
            phases: Phases {
                install: round(self.phases.install),
                provision: round(self.phases.provision),
                release: round(self.phases.release),
            },
            faults: self.shown.clone(),
            violations: violations.len(),
            violation_details: violations.iter().map(ToString::to_string).collect(),
        }
    }

    fn conclude(&mut self, summary: &Summary) {
        let verdict = match summary.violations {
            0 => "no rule was broken".to_owned(),
            count => format!("rules were broken {count} times"),
        };
        self.screen.say(&format!(
            "{} of {} machines provisioned, {} released, {} addresses still in use; {} writes per machine, {} s; {verdict}",
            summary.provisioned,
            summary.machines,
            summary.released,
            summary.addresses_in_use_after,
            summary.writes_per_machine,
            summary.seconds,
        ));
    }
}

/// The first of those that are stuck, a line each.
fn named(stuck: &[&Row]) -> String {
    let mut text = String::new();
    for row in stuck.iter().take(NAMED) {
        let hardware =
            row.hardware.as_ref().map_or("no Hardware".to_owned(), |hardware| format!("Hardware {hardware}"));
        let why = if row.why.is_empty() { "no condition reported yet" } else { &row.why };
        text.push_str(&format!("\n  {}: {}, {hardware}: {why}", row.machine, row.stage));
    }
    if stuck.len() > NAMED {
        text.push_str(&format!("\n  and {} more", stuck.len() - NAMED));
    }
    text
}
