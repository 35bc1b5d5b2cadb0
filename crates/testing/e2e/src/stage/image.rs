//! The manager's image: pushed to a registry, judged by others' tools, pulled, unpacked, and run as a container would be.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, bail, ensure};
use serde_json::Value;
use tokio::process::Command;

use super::objects::text;
use super::registry::Registry;
use super::{Stage, installed::VERSION};

/// What the image is called in a registry of ours.
const NAME: &str = "capt-manager";

/// The image, unpacked.
pub struct Image {
    root: PathBuf,
    entrypoint: Vec<String>,
    user: u32,
    contained: PathBuf,
}

impl Stage {
    /// The image, after a round through a registry; none, and a line that says why, where it was not built or cannot be run.
    ///
    /// # Errors
    /// When a tool finds a fault with it.
    pub async fn image(&self) -> anyhow::Result<Option<Image>> {
        let Some(layout) = &self.paths.image else {
            println!("  skipped the image: it was not built");
            return Ok(None);
        };
        let mut registry = self.registry("registry").await?;
        let (tag, digest) = named(layout)?;
        ensure!(tag == VERSION, "the image is {tag}");
        let reference = registry.push(layout, &format!("{NAME}:{tag}")).await?;
        ensure!(reference.ends_with(&digest), "{digest} was pushed as {reference}");
        registry.crane(&["validate", "--remote", &reference]).await?;
        by_skopeo(&registry, layout, &tag, &digest).await?;

        let platform = format!("linux/{}", if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" });
        let config = registry.crane(&["config", "--platform", &platform, &reference]).await?;
        let config: Value = serde_json::from_str(&config).context("the image's config")?;
        let archive = self.folder().join("image.tar");
        registry.crane(&["export", "--platform", &platform, &reference, &archive.display().to_string()]).await?;
        registry.must_run()?;
        let root = self.folder().join("image");
        unpack(&archive, &root)?;
        let contained = std::env::current_exe()?.with_file_name("capt-e2e-contained");
        let tried = Command::new(&contained).output().await.context("capt-e2e-contained")?;
        if !tried.status.success() {
            let why = String::from_utf8_lossy(&tried.stderr).trim().to_owned();
            println!(
                "  skipped the container: the manager runs outside its image, for this needs root on Linux: {why}"
            );
            return Ok(None);
        }
        let image = Image { root, entrypoint: entrypoint(&config)?, user: user(&config)?, contained };
        image.tells_its_version().await?;
        Ok(Some(image))
    }
}

impl Image {
    /// The command that starts it with these arguments and mounts, as this user, and with no variable of ours.
    pub fn command(&self, mounts: &[(String, PathBuf)], arguments: &[String]) -> Command {
        let mut command = Command::new(&self.contained);
        command.env_clear().arg("--root").arg(&self.root).arg(format!("--user={}", self.user));
        command.args(mounts.iter().map(|(inside, here)| format!("--mount={inside}={}", here.display())));
        command.arg("--").args(&self.entrypoint).args(arguments);
        command
    }

    /// As whom it is started.
    pub fn user(&self) -> u32 {
        self.user
    }

    async fn tells_its_version(&self) -> anyhow::Result<()> {
        let output = self.command(&[], &["--version".to_owned()]).output().await?;
        let said = String::from_utf8_lossy(&output.stdout);
        let version = VERSION.trim_start_matches('v');
        ensure!(said.contains(version), "{said}{}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    /// Fails when a process of it is not shut in: another user, a group, a capability, or a root that can be written.
    ///
    /// # Errors
    /// When it is not.
    pub fn must_hold(&self, process: u32) -> anyhow::Result<()> {
        let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("none");
            line.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        let four = [self.user; 4].map(|id| id.to_string()).join(" ");
        for (name, wanted) in [("Uid:", four.as_str()), ("Gid:", &four), ("Groups:", ""), ("NoNewPrivs:", "1")] {
            ensure!(field(name) == wanted, "{name} {} and not {wanted}", field(name));
        }
        for name in ["CapEff:", "CapPrm:", "CapInh:", "CapAmb:"] {
            ensure!(field(name).trim_matches('0').is_empty(), "it has capabilities: {name} {}", field(name));
        }
        // Of those at the same place the last counts; the fifth field is the place, the sixth its options.
        let mounts = std::fs::read_to_string(format!("/proc/{process}/mountinfo"))?;
        let roots = mounts.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let options =
            roots.filter(|fields| fields.get(4) == Some(&"/")).filter_map(|fields| fields.get(5).copied()).next_back();
        ensure!(
            options.is_some_and(|options| options.split(',').any(|option| option == "ro")),
            "its root: {options:?}"
        );
        Ok(())
    }
}

/// The tag and the digest of what a layout holds.
fn named(layout: &Path) -> anyhow::Result<(String, String)> {
    let index = std::fs::read(layout.join("index.json")).with_context(|| layout.display().to_string())?;
    let index: Value = serde_json::from_slice(&index).context("index.json")?;
    let tag = text(&index, "/manifests/0/annotations/org.opencontainers.image.ref.name");
    Ok((tag.to_owned(), text(&index, "/manifests/0/digest").to_owned()))
}

/// skopeo reads layouts and writes to registries with code of its own.
async fn by_skopeo(registry: &Registry, layout: &Path, tag: &str, digest: &str) -> anyhow::Result<()> {
    let here = Command::new("skopeo").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().await;
    if !here.is_ok_and(|status| status.success()) {
        println!("  skipped skopeo: it is not on this machine; crane judged the image");
        return Ok(());
    }
    let other = registry.reference(&format!("by-skopeo:{tag}"));
    let copied = Command::new("skopeo")
        .args(["--insecure-policy", "copy", "--all", "--preserve-digests", "--dest-tls-verify=false"])
        .args([format!("oci:{}:{tag}", layout.display()), format!("docker://{other}")])
        .output()
        .await?;
    ensure!(copied.status.success(), "skopeo: {}", String::from_utf8_lossy(&copied.stderr).trim());
    let pushed = registry.crane(&["digest", &other]).await?;
    ensure!(pushed.trim() == digest, "skopeo copied {digest} as {}", pushed.trim());
    Ok(())
}

/// Unpacks all files of an image, as they are in it.
fn unpack(archive: &Path, root: &Path) -> anyhow::Result<()> {
    let mut archive = tar::Archive::new(std::fs::File::open(archive)?);
    archive.set_preserve_permissions(true);
    std::fs::create_dir_all(root)?;
    archive.unpack(root).with_context(|| root.display().to_string())
}

fn entrypoint(config: &Value) -> anyhow::Result<Vec<String>> {
    let parts = config.pointer("/config/Entrypoint").and_then(Value::as_array).context("no entrypoint")?;
    Ok(parts.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

/// The user, by number: with a name a kubelet could not see that it is not root.
fn user(config: &Value) -> anyhow::Result<u32> {
    let user = text(config, "/config/User");
    match user.split_once(':') {
        Some((user, group)) if user == group => user.parse().with_context(|| user.to_owned()),
        _ => bail!("the image's user is {user}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_outside_of_the_container_is_not_taken_for_one_inside() {
        let (root, contained) = (PathBuf::from("/"), PathBuf::new());
        let image = Image { root, entrypoint: Vec::new(), user: 65532, contained };
        assert!(image.must_hold(std::process::id()).is_err());
    }

    #[test]
    fn a_user_by_name_is_refused_since_a_kubelet_cannot_see_that_it_is_not_root() {
        let config = |user: &str| serde_json::json!({ "config": { "User": user } });
        assert_eq!(user(&config("65532:65532")).unwrap(), 65532);
        for bad in ["capt:capt", "65532", "", "65532:0"] {
            assert!(user(&config(bad)).is_err(), "{bad}");
        }
    }
}
