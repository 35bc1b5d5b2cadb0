//! What a container runtime does before it starts a program, on Linux and as root: a mount namespace of its own, the unpacked
//! image as a root that nobody can write, the pod's mounts, another user, no privilege and no way to get one.
//!
//! Network and processes are this machine's: everything here meets on loopback, and is ended by its id.

use std::env::set_current_dir;
use std::fs::{File, create_dir_all};
use std::os::unix::fs::chroot;
use std::path::{Path, PathBuf};

use anyhow::Context;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::set_no_new_privs;
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};

/// What runtimes give to every program.
const DEVICES: [&str; 5] = ["dev/null", "dev/zero", "dev/full", "dev/random", "dev/urandom"];
const NOTHING: Option<&str> = None;

/// Where a program is to run.
#[derive(Clone, Debug)]
pub struct Container {
    /// The unpacked image.
    pub root: PathBuf,
    /// The user, and the group.
    pub user: u32,
    /// What is mounted: the path inside, and what is there.
    pub mounts: Vec<(PathBuf, PathBuf)>,
}

/// Leaves the mounts of this machine: what is mounted from now on is seen by this process alone.
///
/// # Errors
/// When the operating system refuses: it wants root.
pub fn leave_mounts() -> anyhow::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS).context("a mount namespace")?;
    mount(NOTHING, "/", NOTHING, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NOTHING).context("mounts of its own")
}

impl Container {
    /// Turns this process into one in the container, after [`leave_mounts`].
    ///
    /// # Errors
    /// When the operating system refuses a step.
    pub fn enter(&self) -> anyhow::Result<()> {
        bind(&self.root, &self.root)?;
        for device in DEVICES {
            let inside = self.root.join(device);
            create_dir_all(self.root.join("dev"))?;
            File::create(&inside)?;
            bind(&Path::new("/").join(device), &inside)?;
        }
        let proc = self.root.join("proc");
        create_dir_all(&proc)?;
        bind(Path::new("/proc"), &proc)?;
        for (inside, here) in &self.mounts {
            let inside = self.root.join(inside.strip_prefix("/").unwrap_or(inside));
            // Runtimes make the place where something is mounted, too, before they close the root.
            create_dir_all(&inside)?;
            bind(here, &inside)?;
            close(&inside)?;
        }
        close(&self.root)?;
        set_current_dir(&self.root)?;
        chroot(".").context("chroot")?;
        set_current_dir("/")?;
        let (user, group) = (Uid::from_raw(self.user), Gid::from_raw(self.user));
        setgroups(&[]).context("groups")?;
        setresgid(group, group, group).context("group")?;
        // With the user go all capabilities.
        setresuid(user, user, user).context("user")?;
        set_no_new_privs().context("no new privileges")
    }
}

fn bind(here: &Path, inside: &Path) -> anyhow::Result<()> {
    mount(Some(here), inside, NOTHING, MsFlags::MS_BIND | MsFlags::MS_REC, NOTHING)
        .with_context(|| format!("{} at {}", here.display(), inside.display()))
}

/// Lets nobody write below a mount.
fn close(inside: &Path) -> anyhow::Result<()> {
    let flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(NOTHING, inside, NOTHING, flags, NOTHING).with_context(|| format!("{} read-only", inside.display()))
}
