//! The play, from the first object to the last.

use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::board::{Address, Board, Row, Stage};
use crate::example::example;
use crate::faults::{Fault, Told};
use crate::flags::{Flags, Output};
use crate::install::{Installer, machines_wanted};
use crate::manifests::{BadInput, Document, read};
use crate::screen::Screen;
use crate::summary::{Phases, Summary, Writes, round};
use crate::theatre::Theatre;

/// Time between two looks at the board.
const TICK: Duration = Duration::from_millis(20);
/// How many of those that are stuck a message names.
const NAMED: usize = 10;

/// Plays, and returns whether all went well. What went wrong was told then.
///
/// # Errors
/// [`BadInput`], if the input is at fault; any other error if the play could not go on.
pub async fn run(flags: Flags) -> anyhow::Result<bool> {
    let documents = if flags.files.is_empty() { example(flags.size(), flags.provider)? } else { read(&flags.files)? };
    let wanted = machines_wanted(&documents);
    let begin = Instant::now();
    let theatre = Theatre::open(flags.kubeconfig.as_deref()).await?;
    let interrupted = CancellationToken::new();
    listen_for_interrupts(interrupted.clone())?;
    let mut play = Play {
        installer: Installer::new(theatre.client()),
        screen: Screen::new(flags.output, wanted),
        timeout: flags.timeout(wanted),
        theatre,
        flags,
        documents,
        wanted,
        installed: 0,
        interrupted,
        begin,
        writes: Writes::default(),
        phases: Phases::default(),
        addresses: Vec::new(),
        told: Vec::new(),
    };
    let played = play.perform().await;
    let closed = play.close(played.is_ok()).await;
    let summary = play.summary();
    if play.flags.output == Output::Json && !played.as_ref().is_err_and(|error| error.is::<BadInput>()) {
        let line = serde_json::to_string(&summary).context("the summary")?;
        writeln!(std::io::stdout().lock(), "{line}").context("standard output")?;
    }
    for violation in &summary.violation_details {
        eprintln!("violation: {violation}");
    }
    played?;
    closed?;
    if play.flags.output == Output::Text {
        play.conclude(&summary);
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

struct Play {
    theatre: Theatre,
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
    told: Vec<Told>,
}

impl Play {
    fn board(&self) -> &Board {
        self.theatre.board()
    }

    async fn perform(&mut self) -> anyhow::Result<()> {
        let whole = self.documents.clone();
        self.strike(Fault::is_of_provisioning);
        self.install().await?;
        self.watch_faults(&whole, Fault::is_of_provisioning).await?;
        self.provision().await?;
        if self.flags.keep {
            self.stay().await?;
        }
        self.release().await
    }

    async fn install(&mut self) -> anyhow::Result<()> {
        let begin = Instant::now();
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

    /// Breaks what the user asked for and belongs to this part of the play.
    fn strike(&mut self, is_of_now: impl Fn(Fault) -> bool) {
        let Some(control_plane) = self.theatre.control_plane() else { return };
        for fault in self.flags.faults().filter(|fault| is_of_now(*fault)) {
            fault.strike(control_plane, &mut self.documents);
            self.screen.say(&format!("fault {fault}: {}", fault.words().0));
        }
    }

    /// Waits until each of these faults was told, shows the words, and mends it.
    async fn watch_faults(&mut self, whole: &[Document], is_of_now: impl Fn(Fault) -> bool) -> anyhow::Result<()> {
        let Some(server) = self.theatre.control_plane().map(|control_plane| control_plane.server().clone()) else {
            return Ok(());
        };
        let faults: Vec<Fault> = self.flags.faults().filter(|fault| is_of_now(*fault)).collect();
        for fault in faults {
            let mut told = None;
            self.wait(|_| {
                told = fault.told(&server);
                told.is_some()
            })
            .await?;
            let Some(told) = told else {
                bail!("fault {fault} was not told by condition and event within {} s", self.timeout.as_secs());
            };
            let Told { machine, condition, reason, message, event, .. } = &told;
            self.screen.say(&format!("  told by {machine}, condition {condition}, {reason}: {message}"));
            self.screen.say(&format!("  told by an event, {reason}: {event}"));
            self.told.push(told);
            fault.mend(&server, &mut self.installer, whole).await?;
            self.screen.say(&format!("  mended: {}", fault.words().1));
        }
        Ok(())
    }

    async fn provision(&mut self) -> anyhow::Result<()> {
        let begin = Instant::now();
        let wanted = self.wanted;
        let done = self.wait(|board| board.count(Stage::Provisioned) >= wanted).await?;
        self.phases.provision = begin.elapsed().as_secs_f64();
        self.writes.provision = self.theatre.observer().writes();
        self.addresses = self.board().addresses();
        if !done {
            bail!("{}", self.stuck_provisioning());
        }
        self.screen.table(&self.addresses);
        Ok(())
    }

    /// Stays up until Ctrl-C.
    async fn stay(&mut self) -> anyhow::Result<()> {
        if let Some(kubeconfig) = self.theatre.serve().await? {
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
            self.screen.show(self.theatre.board());
            tokio::select! {
                () = tokio::time::sleep(TICK) => {}
                () = self.interrupted.cancelled() => {}
            }
        }
        // The release that follows can be interrupted by the second Ctrl-C only, which ends the program.
        self.interrupted = CancellationToken::new();
        Ok(())
    }

    async fn release(&mut self) -> anyhow::Result<()> {
        let begin = Instant::now();
        let of_release = |fault: Fault| !fault.is_of_provisioning();
        self.strike(of_release);
        for document in self.roots() {
            self.installer.delete(&document).await?;
        }
        self.screen.say("deleted the cluster");
        self.watch_faults(&[], of_release).await?;
        let done = self.wait(|board| board.leftovers().is_empty()).await?;
        self.phases.release = begin.elapsed().as_secs_f64();
        self.writes.release = self.theatre.observer().writes() - self.writes.provision;
        if !done {
            bail!("{}", self.stuck_releasing());
        }
        Ok(())
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

    /// Shows the board until it is as wanted; false if that takes too long.
    async fn wait(&mut self, mut done: impl FnMut(&Board) -> bool) -> anyhow::Result<bool> {
        let begin = Instant::now();
        let done = loop {
            self.check()?;
            if done(self.theatre.board()) {
                break true;
            }
            if begin.elapsed() > self.timeout {
                break false;
            }
            self.screen.show(self.theatre.board());
            tokio::select! {
                () = tokio::time::sleep(TICK) => {}
                () = self.interrupted.cancelled() => bail!("interrupted"),
            }
        };
        self.screen.settle(self.theatre.board());
        Ok(done)
    }

    fn check(&self) -> anyhow::Result<()> {
        if self.theatre.manager_has_ended() {
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
        let cleared = if self.theatre.is_remote() { self.clear(went_well).await } else { Ok(()) };
        self.theatre.close().await.and(cleared)
    }

    /// Leaves somebody's own control plane as it was, but for the CRDs.
    async fn clear(&mut self, went_well: bool) -> anyhow::Result<()> {
        if !went_well {
            self.screen.say("taking down what was made");
            for document in self.roots() {
                self.installer.delete(&document).await?;
            }
            self.interrupted = CancellationToken::new();
            self.wait(|board| board.leftovers().is_empty()).await?;
        }
        let made: Vec<Document> = self.documents.iter().take(self.installed).rev().cloned().collect();
        for document in &made {
            self.installer.delete(document).await?;
        }
        let begin = Instant::now();
        for document in &made {
            // The stand-ins take their finalizers off.
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
        let addresses_in_use_after = self.board().leftovers().addresses;
        let violations = self.theatre.observer().violations();
        let machines = u32::try_from(self.wanted).unwrap_or(u32::MAX);
        #[expect(clippy::cast_precision_loss, reason = "counts of writes are far below 2^52")]
        let writes = (self.writes.provision + self.writes.release) as f64;
        Summary {
            machines: self.wanted,
            provisioned: self.addresses.len(),
            addresses: self.addresses.clone(),
            released: self.board().count(Stage::Released),
            addresses_in_use_after,
            writes_per_machine: round(writes / f64::from(machines)),
            writes: self.writes,
            seconds: round(self.begin.elapsed().as_secs_f64()),
            phases: Phases {
                install: round(self.phases.install),
                provision: round(self.phases.provision),
                release: round(self.phases.release),
            },
            faults: self.told.clone(),
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
        let why = if row.why.is_empty() { "it says nothing" } else { &row.why };
        text.push_str(&format!("\n  {}: {}, {hardware}: {why}", row.machine, row.stage));
    }
    if stuck.len() > NAMED {
        text.push_str(&format!("\n  and {} more", stuck.len() - NAMED));
    }
    text
}
