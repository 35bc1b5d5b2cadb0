//! The program under test, and clusters for it.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use capt_neighbours::crds::Group;
use memory_apiserver::{MemoryApiServer, Serving};

pub fn manager(kubeconfig: &std::path::Path, arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_capt-manager"))
        .args(arguments)
        .env("KUBECONFIG", kubeconfig)
        .env_remove("RUST_LOG")
        // Several of them run at once, on one machine.
        .envs([("METRICS_BIND_ADDR", "0"), ("DIAGNOSTICS_ADDRESS", "0"), ("WEBHOOK_PORT", "0")])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// How the process ends.
pub fn ended(child: &mut Child, within: Duration) -> std::process::ExitStatus {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if began.elapsed() > within {
            child.kill().unwrap();
            panic!("still runs after {within:?}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A cluster with the kinds of CAPT and its neighbours, and a kubeconfig for it.
pub struct Cluster {
    pub runtime: tokio::runtime::Runtime,
    pub server: MemoryApiServer,
    pub serving: Option<Serving>,
    pub kubeconfig: std::path::PathBuf,
}

impl Cluster {
    pub fn new(name: &str) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let server = runtime.block_on(async { MemoryApiServer::new() });
        for crd in capt_api::crds() {
            server.apply_manifest(&serde_json::to_string(&crd).unwrap()).unwrap();
        }
        for crd in Group::ALL.iter().flat_map(|group| group.crds()) {
            server.apply_manifest(crd).unwrap();
        }
        let serving = runtime.block_on(server.serve()).unwrap();
        let directory = std::env::temp_dir().join(format!("capt-manager-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let kubeconfig = directory.join("kubeconfig");
        std::fs::write(&kubeconfig, serving.kubeconfig("capt")).unwrap();
        Self { runtime, server, serving: Some(serving), kubeconfig }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(self.kubeconfig.parent().unwrap());
    }
}

pub fn tell(child: &Child, signal: &str) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
}

/// Reads the log until a message.
pub fn await_message(child: &mut Child, message: &str) {
    let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines().map(Result::unwrap);
    let message = format!("\"message\":\"{message}\"");
    assert!(lines.any(|line| line.contains(&message)), "no {message}");
}

pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Body and status of a probe.
pub fn probe(port: u16, path: &str) -> String {
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

impl Cluster {
    /// A file that is removed with the cluster.
    pub fn file(&self, name: &str) -> std::path::PathBuf {
        self.kubeconfig.with_file_name(name)
    }

    /// A folder with a certificate for the webhooks.
    pub fn certificates(&self) -> std::path::PathBuf {
        let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        let folder = self.file("certificates");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("tls.crt"), made.cert.pem()).unwrap();
        std::fs::write(folder.join("tls.key"), made.signing_key.serialize_pem()).unwrap();
        folder
    }
}

/// A manager that is killed at the end.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until something is true.
pub fn until(what: &str, mut check: impl FnMut() -> bool) {
    let began = Instant::now();
    while !check() {
        assert!(began.elapsed() < Duration::from_secs(60), "not within 60 s: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The manager with its webhooks, and its ports for health and webhooks; it listens on the former.
pub fn serving_webhooks(cluster: &Cluster, certificates: &std::path::Path) -> (Running, u16, u16) {
    let (health, webhooks) = (free_port(), free_port());
    let arguments = [
        format!("-health-addr=127.0.0.1:{health}"),
        format!("-webhook-port={webhooks}"),
        format!("-webhook-cert-dir={}", certificates.display()),
    ];
    let running = Running(manager(&cluster.kubeconfig, &arguments.each_ref().map(String::as_str)));
    until("it listens", || std::net::TcpStream::connect(("127.0.0.1", health)).is_ok());
    (running, health, webhooks)
}
