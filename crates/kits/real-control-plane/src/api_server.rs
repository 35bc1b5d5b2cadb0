//! One kube-apiserver.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::Request;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::json;
use tokio::process::Command;

use crate::audit::AuditLog;
use crate::build::Programs;
use crate::certificates::Authority;
use crate::process::Process;

/// How long a server may take until it is ready.
const READY: Duration = Duration::from_secs(90);
/// Time between two questions whether it is.
const LOOK: Duration = Duration::from_millis(200);

/// The user who may do everything; every server has it.
pub const ADMIN: &str = "admin";

/// The admission plugin that lets nobody block the deletion of an owner who may not set its finalizers, nor change the
/// owners of what he may not delete. Not on by default; on at OpenShift, for one.
pub const OWNER_REFERENCES: &str = "OwnerReferencesPermissionEnforcement";

/// A user, known by a token.
#[derive(Clone, Debug)]
pub struct User {
    /// Short name: of its kubeconfig, and of its clients.
    pub key: &'static str,
    /// Who it is to the server.
    pub name: String,
    /// Its groups.
    pub groups: Vec<String>,
}

impl User {
    /// A user who may do everything.
    pub fn master(key: &'static str) -> Self {
        Self { key, name: key.to_owned(), groups: vec!["system:masters".to_owned()] }
    }

    /// A ServiceAccount: it may do what bindings grant it, and nothing else.
    pub fn service_account(key: &'static str, namespace: &str, name: &str) -> Self {
        Self {
            key,
            name: format!("system:serviceaccount:{namespace}:{name}"),
            groups: vec![
                "system:serviceaccounts".to_owned(),
                format!("system:serviceaccounts:{namespace}"),
                "system:authenticated".to_owned(),
            ],
        }
    }

    fn token(&self) -> String {
        format!("{}-token", self.key)
    }
}

/// How a server is to be.
#[derive(Clone, Debug)]
pub struct Options {
    /// Name of its folder and its process.
    pub name: String,
    /// Where etcd listens.
    pub etcd: String,
    /// Where in etcd its objects lie.
    pub prefix: String,
    /// Who may use it, besides [`ADMIN`].
    pub users: Vec<User>,
    /// Admission plugins that are on besides those that are on by default.
    pub admission_plugins: Vec<String>,
    /// A further authority whose client certificates it accepts, as PEM.
    pub client_authority: Option<String>,
}

/// A running kube-apiserver with RBAC and an audit log.
pub struct ApiServer {
    folder: PathBuf,
    port: u16,
    arguments: Vec<String>,
    program: PathBuf,
    process: Process,
    name: String,
}

impl ApiServer {
    /// Starts a server below `folder`, and returns when it is ready.
    ///
    /// # Errors
    /// When it cannot be started or does not become ready.
    pub async fn start(
        programs: &Programs,
        folder: &Path,
        authority: &Authority,
        options: &Options,
    ) -> anyhow::Result<Self> {
        let folder = folder.join(&options.name);
        let pair = authority.serving(&folder)?;
        let file = |name: &str| folder.join(name);
        let ca = file("ca.crt");
        std::fs::write(&ca, authority.certificate())?;
        let accounts = Authority::new("service accounts")?;
        std::fs::write(file("accounts.key"), accounts.private_key())?;
        std::fs::write(file("accounts.pub"), accounts.public_key())?;
        std::fs::write(file("audit.yaml"), AUDIT_POLICY)?;
        let users: Vec<User> = std::iter::once(User::master(ADMIN)).chain(options.users.iter().cloned()).collect();
        std::fs::write(file("tokens.csv"), users.iter().map(token_line).collect::<String>())?;
        let port = free_port()?;
        for user in &users {
            let kubeconfig = kubeconfig(port, &authority.certificate(), user);
            std::fs::write(file(&format!("{}.kubeconfig", user.key)), kubeconfig.to_string())?;
        }
        let mut arguments = vec![
            format!("--etcd-servers={}", options.etcd),
            format!("--etcd-prefix={}", options.prefix),
            "--bind-address=127.0.0.1".to_owned(),
            format!("--secure-port={port}"),
            flag("--tls-cert-file", &pair.certificate()),
            flag("--tls-private-key-file", &pair.key()),
            flag("--service-account-key-file", &file("accounts.pub")),
            flag("--service-account-signing-key-file", &file("accounts.key")),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            "--service-cluster-ip-range=10.96.0.0/16".to_owned(),
            flag("--token-auth-file", &file("tokens.csv")),
            "--authorization-mode=RBAC".to_owned(),
            flag("--audit-policy-file", &file("audit.yaml")),
            flag("--audit-log-path", &file("audit.log")),
            // In one file, whatever its size.
            "--audit-log-maxsize=1000000".to_owned(),
        ];
        if !options.admission_plugins.is_empty() {
            arguments.push(format!("--enable-admission-plugins={}", options.admission_plugins.join(",")));
        }
        if let Some(authority) = &options.client_authority {
            std::fs::write(file("client-ca.crt"), authority)?;
            arguments.push(flag("--client-ca-file", &file("client-ca.crt")));
        }
        let program = programs.file("kube-apiserver")?.to_path_buf();
        let process = launch(&options.name, &program, &arguments, &folder)?;
        let mut server = Self { folder, port, arguments, program, process, name: options.name.clone() };
        server.wait_ready().await?;
        Ok(server)
    }

    /// The port it listens on, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its folder, with logs, kubeconfigs and the audit log.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file that tells a program how to reach it as this user.
    pub fn kubeconfig(&self, user: &str) -> PathBuf {
        self.folder.join(format!("{user}.kubeconfig"))
    }

    /// A client that is this user; `program` is its user agent, and so its field manager where a request names none.
    ///
    /// # Errors
    /// When there is no such user.
    pub async fn client(&self, user: &str, program: &str) -> anyhow::Result<Client> {
        let file = self.kubeconfig(user);
        let kubeconfig = Kubeconfig::read_from(&file).with_context(|| format!("user {user}"))?;
        let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        config.headers.push((http::header::USER_AGENT, program.parse().context("user agent")?));
        Client::try_from(config).context("a client")
    }

    /// The key that signs tokens of ServiceAccounts.
    pub fn accounts_key(&self) -> PathBuf {
        self.folder.join("accounts.key")
    }

    /// Who asked it for what.
    pub fn audit(&self) -> AuditLog {
        AuditLog::new(self.folder.join("audit.log"))
    }

    /// Its process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Stops it and starts it again on the same port; returns when it is ready.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        self.process.stop().await?;
        self.process = launch(&self.name, &self.program, &self.arguments, &self.folder)?;
        self.wait_ready().await
    }

    async fn wait_ready(&mut self) -> anyhow::Result<()> {
        let client = self.client(ADMIN, "real-control-plane").await?;
        let begin = Instant::now();
        loop {
            let request = Request::get("/readyz").body(Vec::new())?;
            if client.request_text(request).await.is_ok() {
                return Ok(());
            }
            self.process.must_run()?;
            if begin.elapsed() > READY {
                bail!("{} is not ready after {} s: {}", self.name, READY.as_secs(), self.process.last_lines());
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// A port on 127.0.0.1 that nobody listens on.
///
/// # Errors
/// When there is none.
pub fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0)).context("a free port")?.local_addr()?.port())
}

fn launch(name: &str, program: &Path, arguments: &[String], folder: &Path) -> anyhow::Result<Process> {
    let mut command = Command::new(program);
    command.args(arguments);
    Process::start(name, command, &folder.join(format!("{name}.log")))
}

fn flag(name: &str, file: &Path) -> String {
    format!("{name}={}", file.display())
}

/// Everything, without contents: no Secret reaches the log.
const AUDIT_POLICY: &str = "apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
";

fn token_line(user: &User) -> String {
    format!("{},{},{},\"{}\"\n", user.token(), user.name, user.key, user.groups.join(","))
}

fn kubeconfig(port: u16, authority: &str, user: &User) -> serde_json::Value {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "real", "cluster": {
            "server": format!("https://127.0.0.1:{port}"),
            "certificate-authority-data": BASE64.encode(authority),
        }}],
        "users": [{ "name": user.key, "user": { "token": user.token() } }],
        "contexts": [{ "name": "real", "context": { "cluster": "real", "user": user.key } }],
        "current-context": "real",
    })
}
