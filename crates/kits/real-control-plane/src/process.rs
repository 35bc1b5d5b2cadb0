//! A process that is ended by its own id, whatever happens.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};

/// How long a process may take to end after it was asked to.
const PATIENCE: Duration = Duration::from_secs(8);
/// How long a process may take until it listens.
const LISTENS: Duration = Duration::from_secs(60);
/// Time between two looks whether it does.
const KNOCK: Duration = Duration::from_millis(100);
/// Time between two looks at a process that is to end.
const LOOK: Duration = Duration::from_millis(20);

/// A running program. When dropped it is asked to end, and killed if it does not.
///
/// It has a process group of its own, so that Ctrl-C reaches only who started it, who then ends all in order.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a program. What it prints is added to the file `log`.
    ///
    /// # Errors
    /// When it cannot be started or the log cannot be written.
    pub fn start(name: &str, mut command: Command, log: &Path) -> anyhow::Result<Self> {
        let file = File::options().create(true).append(true).open(log).with_context(|| log.display().to_string())?;
        command.stdin(Stdio::null()).stdout(file.try_clone().context("a log file")?).stderr(file).process_group(0);
        let child = command.spawn().with_context(|| format!("{name} does not start"))?;
        Ok(Self { name: name.to_owned(), child, log: log.to_path_buf() })
    }

    /// What messages call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its id; none once it has ended.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// The file with all it printed.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// How it ended; none while it runs.
    ///
    /// # Errors
    /// When the operating system does not tell.
    pub fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        self.child.try_wait().with_context(|| self.name.clone())
    }

    /// Fails when it has ended, with the last lines of its log.
    ///
    /// # Errors
    /// When it has ended.
    pub fn must_run(&mut self) -> anyhow::Result<()> {
        match self.ended()? {
            None => Ok(()),
            Some(status) => bail!("{} ended with {status}: {}", self.name, self.last_lines()),
        }
    }

    /// Waits until it listens on a port of 127.0.0.1.
    ///
    /// # Errors
    /// When it ends before, or takes more than a minute.
    pub async fn until_it_listens(&mut self, port: u16) -> anyhow::Result<()> {
        let begin = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            self.must_run()?;
            if begin.elapsed() > LISTENS {
                bail!("{} does not listen: {}", self.name, self.last_lines());
            }
            tokio::time::sleep(KNOCK).await;
        }
        Ok(())
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// When the operating system does not tell.
    pub async fn wait(&mut self) -> anyhow::Result<ExitStatus> {
        self.child.wait().await.with_context(|| self.name.clone())
    }

    /// Ends it without warning, as a power cut would.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill().await.with_context(|| self.name.clone())
    }

    /// Lets it stand still until [`Self::go_on`]: it is late, as on a machine that is busy.
    pub fn stand_still(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Lets it go on.
    pub fn go_on(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// Asks it to end, and kills it if it does not.
    ///
    /// # Errors
    /// When the operating system does not tell how it ended.
    pub async fn stop(&mut self) -> anyhow::Result<ExitStatus> {
        self.signal(Signal::SIGTERM);
        match tokio::time::timeout(PATIENCE, self.child.wait()).await {
            Ok(status) => status.with_context(|| self.name.clone()),
            Err(_) => {
                self.signal(Signal::SIGKILL);
                self.child.wait().await.with_context(|| self.name.clone())
            }
        }
    }

    /// The end of its log.
    pub fn last_lines(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        let tail = lines.get(lines.len().saturating_sub(8)..).unwrap_or_default();
        format!("{}\n(all of it: {})", tail.join("\n"), self.log.display())
    }

    fn signal(&self, signal: Signal) {
        // A child that was not waited for keeps its id, so this cannot hit another process.
        let id = self.child.id().and_then(|id| i32::try_from(id).ok());
        if let Some(id) = id {
            // It may have ended by itself in this moment.
            let _ = kill(Pid::from_raw(id), signal);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(Signal::SIGTERM);
        // One that stands still would not hear it.
        self.go_on();
        let begin = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) {
            if begin.elapsed() > PATIENCE {
                self.signal(Signal::SIGKILL);
                return;
            }
            std::thread::sleep(LOOK);
        }
    }
}

/// Waits until this program is told to end, by SIGTERM or Ctrl-C. What it started ends when it is dropped.
///
/// # Errors
/// When signals cannot be listened for.
pub async fn interrupted() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT")?;
    tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
    Ok(())
}

/// What a process has used so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// Processor time in user and system mode.
    pub cpu: Duration,
    /// The most memory it ever had resident, in bytes.
    pub peak_memory: u64,
    /// The memory it has resident now, in bytes.
    pub memory: u64,
}

/// What the process with this id has used so far, as Linux tells.
///
/// # Errors
/// When there is no such process, or no `/proc`.
pub fn usage(id: u32) -> anyhow::Result<Usage> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat"))?;
    // The second field is the program's name in parentheses, and may hold anything.
    let rest = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
    let ticks: u64 = rest.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    // USER_HZ is 100 on every Linux that counts.
    let cpu = Duration::from_millis(ticks * 10);
    let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
    let kib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.split_whitespace().next()).and_then(|number| number.parse::<u64>().ok())
    };
    let bytes = |name: &str| kib(name).unwrap_or_default() * 1024;
    Ok(Usage { cpu, peak_memory: bytes("VmHWM:"), memory: bytes("VmRSS:") })
}
