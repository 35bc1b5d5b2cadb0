//! `deploy/Containerfile`: the same image for people with a container engine.

use super::content::{FILES, REVISION, entrypoint, labels, user};
use crate::generated::Folder;

/// What the file is called.
pub const FILE: &str = "Containerfile";
/// Where it lies.
pub const FOLDER: Folder = Folder { path: "deploy", command: "manifests" };
/// Where the first stage leaves the files.
pub const TREE: &str = "/image";

/// The file.
#[must_use]
pub fn render() -> String {
    format!("{}\n{}\n{}", FOLDER.header(), build_stage(), image_stage("--from=build ", TREE))
}

fn build_stage() -> String {
    let version = include_str!("../../../rust-toolchain.toml");
    let version = version.split('"').nth(1).unwrap_or_default();
    format!(
        "\
# The image of `cargo xtask image`, for people with a container engine; from the root of a checkout:
#   docker build -f deploy/Containerfile --build-arg REVISION=$(git rev-parse HEAD) -t capt-manager .
FROM docker.io/library/rust:{version}-bookworm AS build
RUN apt-get update && apt-get install --yes --no-install-recommends musl-tools && cargo install --locked cargo-auditable
WORKDIR /capt
COPY . .
RUN rustup target add \"$(uname -m)-unknown-linux-musl\" && \\
    cargo xtask image --tree {TREE}
"
    )
}

/// The stage that is the image; `from` says where the tree of files is.
#[must_use]
pub fn image_stage(from: &str, tree: &str) -> String {
    let mut text = String::from("FROM scratch\nARG REVISION=unknown\n");
    for (path, _) in FILES {
        text.push_str(&format!("COPY {from}{tree}/{path} /{path}\n"));
    }
    for (name, value) in labels() {
        text.push_str(&format!("LABEL {name}=\"{value}\"\n"));
    }
    text.push_str(&format!("LABEL {}=\"$REVISION\"\n", REVISION));
    let entrypoint: Vec<String> = entrypoint().iter().map(|part| format!("\"{part}\"")).collect();
    text.push_str(&format!("WORKDIR /\nUSER {}\nENTRYPOINT [{}]\n", user(), entrypoint.join(", ")));
    text
}
