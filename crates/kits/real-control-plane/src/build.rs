//! Building the programs from their Go modules, once for each pin.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde::Deserialize;
use tokio::process::Command;

use crate::pins::Pin;
use crate::process::Process;

/// Time between two signs of life.
const SIGN_OF_LIFE: Duration = Duration::from_secs(30);

/// What came of building.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// All programs are there.
    Built(Programs),
    /// There is no Go on this machine.
    NoGo,
}

/// The variable that names a folder of ready-made programs, as envtest of controller-runtime has it: `setup-envtest use
/// -p path` prints such a folder.
pub const ASSETS: &str = "KUBEBUILDER_ASSETS";
/// Without these there is no control plane.
const NEEDED: [&str; 2] = ["etcd", "kube-apiserver"];
/// These are taken from such a folder where it has them. envtest's has no kube-controller-manager.
const OPTIONAL: [&str; 2] = ["kube-controller-manager", "kubectl"];

/// The programs.
#[derive(Clone, Debug)]
pub struct Programs {
    folder: PathBuf,
    files: BTreeMap<&'static str, PathBuf>,
}

impl Programs {
    /// The ready-made programs of the folder that `KUBEBUILDER_ASSETS` names; none where it is not set.
    ///
    /// # Errors
    /// When etcd or kube-apiserver is not in it.
    pub fn from_environment() -> anyhow::Result<Option<Self>> {
        match std::env::var_os(ASSETS).filter(|folder| !folder.is_empty()) {
            Some(folder) => Self::ready_made(Path::new(&folder)).with_context(|| format!("{ASSETS} is set")).map(Some),
            None => Ok(None),
        }
    }

    /// The ready-made programs of a folder. Go is not needed for them.
    ///
    /// # Errors
    /// When etcd or kube-apiserver is not in it.
    pub fn ready_made(folder: &Path) -> anyhow::Result<Self> {
        let find = |name: &'static str| Some((name, folder.join(name))).filter(|(_, file)| file.is_file());
        let files: BTreeMap<_, _> = NEEDED.into_iter().chain(OPTIONAL).filter_map(find).collect();
        let missing: Vec<&str> = NEEDED.into_iter().filter(|name| !files.contains_key(name)).collect();
        if !missing.is_empty() {
            bail!("no {} in {}", missing.join(" and no "), folder.display());
        }
        Ok(Self { folder: folder.to_path_buf(), files })
    }

    /// The file of a program.
    ///
    /// # Errors
    /// When it is not among them.
    pub fn file(&self, name: &str) -> anyhow::Result<&Path> {
        self.files.get(name).map(PathBuf::as_path).with_context(|| format!("there is no program {name}"))
    }

    /// The source of a module, as Go's cache has it; it is fetched where it has not.
    ///
    /// # Errors
    /// When it cannot be fetched.
    pub async fn source(&self, pin: &Pin) -> anyhow::Result<PathBuf> {
        Ok(download(&self.folder.join(pin.folder()), pin).await?.dir)
    }
}

/// Builds what is missing below `folder`; `say` hears what is done.
///
/// # Errors
/// When a program cannot be built; the error names the log.
pub async fn build(folder: &Path, pins: &[Pin], say: impl Fn(&str)) -> anyhow::Result<Outcome> {
    let mut programs = Programs { folder: folder.to_path_buf(), files: BTreeMap::new() };
    // Needed even when all is built: the modules' own manifests are read from Go's cache.
    if !is_go_there() {
        return Ok(Outcome::NoGo);
    }
    for pin in pins {
        let group = folder.join(pin.folder());
        let binaries = group.join("bin");
        std::fs::create_dir_all(&group).with_context(|| group.display().to_string())?;
        let stamp = group.join("built");
        // The stamp is the pin itself: another version, variable or program means another build.
        let wanted = format!("{pin:?}\n");
        let is_built = std::fs::read_to_string(&stamp).is_ok_and(|stamp| stamp == wanted)
            && pin.programs.iter().all(|(name, _)| binaries.join(name).is_file());
        if !is_built {
            std::fs::create_dir_all(&binaries).with_context(|| binaries.display().to_string())?;
            compile(&group, &binaries, pin, &say).await?;
            std::fs::write(&stamp, wanted)?;
        }
        programs.files.extend(pin.programs.iter().map(|(name, _)| (*name, binaries.join(name))));
    }
    Ok(Outcome::Built(programs))
}

fn is_go_there() -> bool {
    let version = std::process::Command::new("go").arg("version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    version.is_ok_and(|status| status.success())
}

async fn compile(group: &Path, binaries: &Path, pin: &Pin, say: &impl Fn(&str)) -> anyhow::Result<()> {
    let log = group.join("build.log");
    say(&format!("{} {}: fetching", pin.module, pin.version));
    let module = download(group, pin).await?;
    let mut file = format!("module built/{}\n\ngo 1.24\n", pin.group);
    if let Some(staging) = pin.staging {
        for staged in staged(&std::fs::read_to_string(&module.go_mod)?) {
            file.push_str(&format!("\nreplace {staged} => {staged} {staging}\n"));
        }
    }
    std::fs::write(group.join("go.mod"), file)?;
    // What an older pin left.
    let _ = std::fs::remove_file(group.join("go.sum"));
    let package =
        |below: &str| if below.is_empty() { pin.module.to_owned() } else { format!("{}/{below}", pin.module) };
    for (_, below) in pin.programs {
        let mut command = go(group);
        command.args(["get", "-tool", &format!("{}@{}", package(below), pin.version)]);
        run(&format!("go get {}", package(below)), command, &log, say).await?;
    }
    let variables = pin.variables.iter().map(|(name, value)| format!(" -X {name}={value}"));
    let flags = format!("-s -w{}", variables.collect::<String>());
    for (name, below) in pin.programs {
        let mut command = go(group);
        command.args(["build", "-ldflags", &flags, "-o"]).arg(binaries.join(name)).arg(package(below));
        let begin = Instant::now();
        say(&format!("{name} {}: building", pin.version));
        run(name, command, &log, say).await?;
        say(&format!("{name} {}: built in {} s", pin.version, begin.elapsed().as_secs()));
    }
    Ok(())
}

fn go(folder: &Path) -> Command {
    let mut command = Command::new("go");
    command.current_dir(folder).envs([("CGO_ENABLED", "0"), ("GOFLAGS", "-mod=mod"), ("GOWORK", "off")]);
    command
}

async fn run(name: &str, command: Command, log: &Path, say: &impl Fn(&str)) -> anyhow::Result<()> {
    let begin = Instant::now();
    let mut process = Process::start(name, command, log)?;
    loop {
        match tokio::time::timeout(SIGN_OF_LIFE, process.wait()).await {
            Ok(status) if status.as_ref().is_ok_and(ExitStatus::success) => return Ok(()),
            Ok(status) => bail!("{name} cannot be built, {}: {}", status?, process.last_lines()),
            Err(_) => say(&format!("{name}: still at it after {} s", begin.elapsed().as_secs())),
        }
    }
}

/// What `go mod download -json` tells.
#[derive(Deserialize)]
struct Module {
    #[serde(rename = "Dir")]
    dir: PathBuf,
    #[serde(rename = "GoMod")]
    go_mod: PathBuf,
}

async fn download(group: &Path, pin: &Pin) -> anyhow::Result<Module> {
    let wanted = format!("{}@{}", pin.module, pin.version);
    let mut command = go(group);
    command.args(["mod", "download", "-json", &wanted]).kill_on_drop(true);
    let output = command.output().await.context("go")?;
    if !output.status.success() {
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        bail!("{wanted} cannot be fetched: {}{}", out.trim(), err.trim());
    }
    serde_json::from_slice(&output.stdout).with_context(|| format!("what go tells of {wanted}"))
}

/// The modules that a go.mod takes from folders of its own repository.
fn staged(go_mod: &str) -> impl Iterator<Item = &str> {
    go_mod.lines().filter_map(|line| {
        let (module, place) = line.trim().trim_start_matches("replace ").split_once(" => ")?;
        place.starts_with("./").then_some(module)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_a_program_that_is_needed_is_refused_with_its_name() {
        let folder = std::env::temp_dir().join(format!("ready-made-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("etcd"), "").unwrap();
        let error = Programs::ready_made(&folder).unwrap_err().to_string();
        assert_eq!(error, format!("no kube-apiserver in {}", folder.display()));
        std::fs::write(folder.join("kube-apiserver"), "").unwrap();
        let programs = Programs::ready_made(&folder).unwrap();
        assert_eq!(programs.file("etcd").unwrap(), folder.join("etcd"));
        assert!(programs.file("kube-controller-manager").is_err(), "envtest has none");
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn only_modules_of_the_own_repository_are_replaced() {
        let go_mod = "module k8s.io/kubernetes\n\nrequire (\n\tk8s.io/api v0.0.0\n)\n\nreplace (\n\t\
            k8s.io/api => ./staging/src/k8s.io/api\n\tother => example.com/other v1.0.0\n)\n\
            replace k8s.io/client-go => ./staging/src/k8s.io/client-go\n";
        assert_eq!(staged(go_mod).collect::<Vec<_>>(), ["k8s.io/api", "k8s.io/client-go"]);
        let go_mod = "module m\n\nreplace sigs.k8s.io/cluster-api/api => ./api\n";
        assert_eq!(staged(go_mod).collect::<Vec<_>>(), ["sigs.k8s.io/cluster-api/api"]);
    }
}
