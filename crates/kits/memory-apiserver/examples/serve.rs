//! Serves an API server until Ctrl-C, with the manifests given as arguments installed, for `kubectl`:
//! `cargo run -p memory-apiserver --example serve -- crds/*.yaml`, then `export KUBECONFIG=…` as it says.

use memory_apiserver::MemoryApiServer;
use std::error::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = MemoryApiServer::new();
    for file in std::env::args().skip(1) {
        let yaml = std::fs::read_to_string(&file).map_err(|error| format!("{file}: {error}"))?;
        server.apply_manifest(&yaml).map_err(|error| format!("{file}: {error}"))?;
    }
    let serving = server.serve().await?;
    let path = std::env::temp_dir().join(format!("memory-apiserver-{}.kubeconfig", serving.addr().port()));
    std::fs::write(&path, serving.kubeconfig("admin"))?;
    println!("export KUBECONFIG={}", path.display());
    std::future::pending::<()>().await;
    Ok(())
}
