//! Where it runs: the embedded control plane, or somebody's own.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use capt_simulators::Running;
use capt_simulators::bmc::{self, Power, PowerStates};
use kube::Client;
use memory_apiserver::Serving;

use crate::board::Board;
use crate::control_plane::{ControlPlane, MANAGER, start_simulators};
use crate::install::SANDBOX;
use crate::remote::{self, Following};
use capt_invariants::{Key, Observer, Write};

/// A control plane, with the board and the observer that watch it.
pub struct Environment {
    board: Board,
    observer: Observer,
    place: Place,
}

enum Place {
    Embedded { control_plane: ControlPlane, served: Option<Served> },
    Remote { client: Client, simulators: Running, following: Following },
}

/// The HTTP served of the embedded server, and the file that tells how to reach it.
struct Served {
    serving: Serving,
    kubeconfig: PathBuf,
}

impl Environment {
    /// Opens the control plane of a kubeconfig, or without one the embedded one, with such a rufio.
    ///
    /// # Errors
    /// When it cannot be reached or set up.
    pub async fn open(kubeconfig: Option<&Path>, rufio: bmc::Options) -> anyhow::Result<Self> {
        let board = Board::default();
        match kubeconfig {
            None => Self::embedded(board, rufio),
            Some(file) => Self::remote(board, file, rufio).await,
        }
    }

    fn embedded(board: Board, rufio: bmc::Options) -> anyhow::Result<Self> {
        let mut control_plane = ControlPlane::new()?;
        let observer = control_plane.observe();
        control_plane.server().journal().on_write({
            let board = board.clone();
            move |record| board.see(&Write::from(record))
        });
        show_power(&board, control_plane.power());
        control_plane.start_simulators(rufio);
        control_plane.start_manager(capt_kube::Settings::default());
        Ok(Self { board, observer, place: Place::Embedded { control_plane, served: None } })
    }

    async fn remote(board: Board, kubeconfig: &Path, rufio: bmc::Options) -> anyhow::Result<Self> {
        let config = remote::Config::read(kubeconfig).await?;
        let client = config.client(SANDBOX)?;
        remote::install_crds(&client).await?;
        let observer = Observer::new(MANAGER);
        let power = PowerStates::default();
        observer.listen(&power);
        show_power(&board, &power);
        // What is there already is nothing of ours, and not for us to judge.
        let has_begun = Arc::new(AtomicBool::new(false));
        let following = remote::follow(&client, remote::PATIENCE, {
            let (board, observer, is_ours) = (board.clone(), observer.clone(), has_begun.clone());
            move |write: &Write<'_>| {
                board.see(write);
                if is_ours.load(Ordering::Relaxed) && !board.is_of_others(write) {
                    observer.see(write);
                }
            }
        })
        .await?;
        board.forget();
        has_begun.store(true, Ordering::Relaxed);
        let clients = config.clients(&[
            capt_simulators::IPAM_PROVIDER,
            capt_simulators::TINKERBELL,
            capt_simulators::RUFIO,
            capt_simulators::CLUSTER_API,
        ])?;
        let fallback = client.clone();
        let simulators =
            start_simulators(move |name| clients.get(name).cloned().unwrap_or_else(|| fallback.clone()), &power, rufio);
        Ok(Self { board, observer, place: Place::Remote { client, simulators, following } })
    }

    /// How far the machines are.
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// Who checks the rules.
    pub fn observer(&self) -> &Observer {
        &self.observer
    }

    /// The embedded control plane, if it runs on that.
    pub fn control_plane(&self) -> Option<&ControlPlane> {
        match &self.place {
            Place::Embedded { control_plane, .. } => Some(control_plane),
            Place::Remote { .. } => None,
        }
    }

    /// A client of the sandbox itself.
    pub fn client(&self) -> Client {
        match &self.place {
            Place::Embedded { control_plane, .. } => control_plane.client(SANDBOX),
            Place::Remote { client, .. } => client.clone(),
        }
    }

    /// Whether the control plane outlives the sandbox.
    pub fn is_remote(&self) -> bool {
        matches!(self.place, Place::Remote { .. })
    }

    /// Whether our manager has ended by itself.
    pub fn manager_has_ended(&self) -> bool {
        matches!(&self.place, Place::Embedded { control_plane, .. } if control_plane.manager_has_ended())
    }

    /// Opens the embedded server to other programs, and returns the kubeconfig's file. Somebody's own control plane is
    /// open already.
    ///
    /// # Errors
    /// When no port can be had or the file cannot be written.
    pub async fn serve(&mut self) -> anyhow::Result<Option<PathBuf>> {
        let Place::Embedded { control_plane, served } = &mut self.place else {
            return Ok(None);
        };
        let serving = control_plane.server().serve().await.context("cannot listen on loopback")?;
        let kubeconfig = std::env::temp_dir().join(format!("capt-sandbox-{}.kubeconfig", std::process::id()));
        write_new(&kubeconfig, &serving.kubeconfig("admin"))
            .with_context(|| format!("cannot write {}", kubeconfig.display()))?;
        *served = Some(Served { serving, kubeconfig: kubeconfig.clone() });
        Ok(Some(kubeconfig))
    }

    /// Stops everything that runs here.
    ///
    /// # Errors
    /// What the manager ended with.
    pub async fn close(&mut self) -> anyhow::Result<()> {
        match &mut self.place {
            Place::Embedded { control_plane, served } => {
                if let Some(Served { serving, kubeconfig }) = served.take() {
                    serving.shutdown().await;
                    // It names a server that is gone; if somebody removed it before us, all the better.
                    let _ = std::fs::remove_file(kubeconfig);
                }
                control_plane.stop().await
            }
            Place::Remote { simulators, following, .. } => {
                simulators.stop().await;
                following.stop();
                Ok(())
            }
        }
    }
}

/// Writes a file of our own: what is in its place, such as a link to another one, is not written through.
fn write_new(file: &Path, content: &str) -> std::io::Result<()> {
    // Usually there is none.
    let _ = std::fs::remove_file(file);
    let mut file = std::fs::File::options().write(true).create_new(true).open(file)?;
    file.write_all(content.as_bytes())
}

fn show_power(board: &Board, power: &PowerStates) {
    let board = board.clone();
    power.on_change(move |change| board.power(Key::new(change.namespace, change.name), change.power == Power::On));
}
