//! etcd, kube-apiserver and kube-controller-manager with users and an audit log.

use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};

use anyhow::Context;
use tokio::process::Command;

use crate::api_server::{self, ApiServer, User, free_port};
use crate::build::Programs;
use crate::certificates::Authority;
use crate::history::History;
use crate::process::Process;

/// The user that kube-controller-manager is.
const CONTROLLERS: &str = "kube-controller-manager";

/// A control plane. What it runs ends when it is dropped.
///
/// It stands for its [`ApiServer`] too: clients, kubeconfigs and the audit log are asked of that.
pub struct ControlPlane {
    // In the order in which they end.
    controllers: Option<Process>,
    server: ApiServer,
    etcd: Process,
    etcd_url: String,
    authority: Authority,
    folder: PathBuf,
}

impl ControlPlane {
    /// Starts one below `folder`, which is made; returns when it is ready.
    ///
    /// `admission_plugins` are on besides those that are on by default, such as [`api_server::OWNER_REFERENCES`]. Of
    /// kube-controller-manager run the garbage collector and the controllers of namespaces and ServiceAccounts; where the
    /// programs have none, as those of envtest, objects outlive their owners and namespaces never end.
    ///
    /// # Errors
    /// When one of the programs does not start.
    pub async fn start(
        programs: &Programs,
        folder: &Path,
        users: &[User],
        admission_plugins: &[&str],
    ) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        let authority = Authority::new("real-control-plane")?;
        let (etcd, etcd_url) = start_etcd(programs, folder)?;
        let users = users.iter().cloned().chain([User::master(CONTROLLERS)]).collect();
        let options = api_server::Options {
            name: "kube-apiserver".to_owned(),
            etcd: etcd_url.clone(),
            prefix: "/registry".to_owned(),
            users,
            admission_plugins: admission_plugins.iter().map(|plugin| (*plugin).to_owned()).collect(),
            client_authority: None,
        };
        let server = ApiServer::start(programs, folder, &authority, &options).await?;
        let controllers = match programs.file(CONTROLLERS) {
            Ok(program) => Some(start_controllers(program, &server, folder)?),
            Err(_) => None,
        };
        Ok(Self { controllers, server, etcd, etcd_url, authority, folder: folder.to_path_buf() })
    }

    /// Starts another API server on the same etcd, with objects of its own.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn second_server(
        &self,
        programs: &Programs,
        authority: &Authority,
        name: &str,
    ) -> anyhow::Result<ApiServer> {
        let options = api_server::Options {
            name: name.to_owned(),
            etcd: self.etcd_url.clone(),
            prefix: format!("/{name}"),
            users: Vec::new(),
            admission_plugins: Vec::new(),
            client_authority: Some(authority.certificate()),
        };
        ApiServer::start(programs, &self.folder, authority, &options).await
    }

    /// Everything that is written to it and to its other servers.
    ///
    /// # Errors
    /// When etcd cannot be asked.
    pub fn history(&self) -> anyhow::Result<History> {
        History::of(&self.etcd_url)
    }

    /// The authority of its certificates.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// etcd's process.
    pub fn etcd(&self) -> &Process {
        &self.etcd
    }

    /// kube-controller-manager's process, if it runs.
    pub fn controllers(&self) -> Option<&Process> {
        self.controllers.as_ref()
    }
}

fn start_controllers(program: &Path, server: &ApiServer, folder: &Path) -> anyhow::Result<Process> {
    let mut command = Command::new(program);
    command
        .arg("--kubeconfig")
        .arg(server.kubeconfig(CONTROLLERS))
        .arg("--service-account-private-key-file")
        .arg(server.accounts_key())
        .args(["--controllers=garbagecollector,namespace,serviceaccount", "--leader-elect=false"])
        .arg("--secure-port=0");
    Process::start(CONTROLLERS, command, &folder.join("kube-controller-manager.log"))
}

impl Deref for ControlPlane {
    type Target = ApiServer;

    fn deref(&self) -> &ApiServer {
        &self.server
    }
}

impl DerefMut for ControlPlane {
    fn deref_mut(&mut self) -> &mut ApiServer {
        &mut self.server
    }
}

fn start_etcd(programs: &Programs, folder: &Path) -> anyhow::Result<(Process, String)> {
    let client = format!("http://127.0.0.1:{}", free_port()?);
    let peer = format!("http://127.0.0.1:{}", free_port()?);
    let mut command = Command::new(programs.file("etcd")?);
    command
        .arg(format!("--data-dir={}", folder.join("etcd").display()))
        .arg(format!("--listen-client-urls={client}"))
        .arg(format!("--advertise-client-urls={client}"))
        .arg(format!("--listen-peer-urls={peer}"))
        .arg(format!("--initial-advertise-peer-urls={peer}"))
        .arg(format!("--initial-cluster=default={peer}"))
        // A power cut of this machine may cost the run.
        .arg("--unsafe-no-fsync");
    Ok((Process::start("etcd", command, &folder.join("etcd.log"))?, client))
}
