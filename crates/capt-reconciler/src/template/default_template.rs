//! The Tinkerbell template for machines that bring none: write the image, point cloud-init at Tinkerbell, boot into it.

use std::net::Ipv6Addr;

use super::TemplateError;
use super::partition::first_partition;
use super::yaml_scalar::quoted;

/// Where Tinkerbell is when nobody says so.
const DEFAULT_TINKERBELL_IP: &str = "192.168.1.1";

const OCI_TO_DISK: &str = "quay.io/tinkerbell/actions/oci2disk";
const WRITE_FILE: &str = "quay.io/tinkerbell/actions/writefile";
const KEXEC: &str = "quay.io/tinkerbell/actions/kexec";
/// Starts another action and waits, so that the agent can report success before the machine is gone.
const WAIT_DAEMON: &str = "ghcr.io/jacobweinstock/waitdaemon:0.2.1";

/// The images that the default template runs on servers.
pub const DEFAULT_IMAGES: [&str; 4] = [OCI_TO_DISK, WRITE_FILE, KEXEC, WAIT_DAEMON];

/// What the default template is made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DefaultTemplate<'a> {
    /// Name of the machine, the template and its one task.
    pub name: &'a str,
    /// Where the operating system image is, see [`super::image_url()`].
    pub image_url: &'a str,
    /// Device name of the disk the image goes to.
    pub disk: &'a str,
    /// Address of Tinkerbell's metadata service; empty means `192.168.1.1`.
    pub tinkerbell_ip: &'a str,
    /// Port of Tinkerbell's metadata service.
    pub metadata_port: u16,
}

/// The template as YAML, for Tinkerbell to render: `{{.device_1}}` in it is Tinkerbell's to fill. Nothing in the input
/// can add to the template: every value stays one scalar.
///
/// # Errors
/// [`TemplateError::EmptyName`], [`TemplateError::EmptyImageUrl`].
pub fn default_template(input: &DefaultTemplate<'_>) -> Result<String, TemplateError> {
    if input.name.is_empty() {
        return Err(TemplateError::EmptyName);
    }
    if input.image_url.is_empty() {
        return Err(TemplateError::EmptyImageUrl);
    }
    let name = quoted(input.name);
    let partition = first_partition(input.disk);
    let text = [
        format!(
            r#"version: "0.1"
name: {name}
global_timeout: 6000
tasks:
  - name: {name}
    worker: "{{{{.device_1}}}}"
    volumes:
      - /dev:/dev
      - /dev/console:/dev/console
      - /lib/firmware:/lib/firmware:ro
    actions:
"#
        ),
        stream_image(input.image_url, input.disk),
        write_file(
            "add tink cloud-init config",
            &partition,
            "/etc/cloud/cloud.cfg.d/10_tinkerbell.cfg",
            &cloud_config(&metadata_url(input.tinkerbell_ip, input.metadata_port)),
        ),
        write_file("add tink cloud-init ds-config", &partition, "/etc/cloud/ds-identify.cfg", "datasource: Ec2\n"),
        kexec(&partition),
    ]
    .concat();
    match serde_saphyr::from_str::<serde_json::Value>(&text) {
        Ok(_) => Ok(text),
        Err(error) => Err(TemplateError::InvalidYaml(error.to_string())),
    }
}

fn stream_image(image_url: &str, disk: &str) -> String {
    format!(
        r#"      - name: stream image
        image: {OCI_TO_DISK}
        timeout: 600
        environment:
          IMG_URL: {}
          DEST_DISK: {}
          COMPRESSED: "true"
"#,
        quoted(image_url),
        quoted(disk)
    )
}

/// `contents` ends with a line break.
fn write_file(name: &str, partition: &str, path: &str, contents: &str) -> String {
    let indented: String = contents.lines().map(|line| format!("            {line}\n")).collect();
    format!(
        r#"      - name: {name}
        image: {WRITE_FILE}
        timeout: 90
        environment:
          DEST_DISK: {}
          FS_TYPE: ext4
          DEST_PATH: {path}
          UID: "0"
          GID: "0"
          MODE: "0600"
          DIRMODE: "0700"
          CONTENTS: |
{indented}"#,
        quoted(partition)
    )
}

fn kexec(partition: &str) -> String {
    format!(
        r#"      - name: kexec image
        image: {WAIT_DAEMON}
        timeout: 90
        pid: host
        environment:
          BLOCK_DEVICE: {}
          FS_TYPE: ext4
          IMAGE: {KEXEC}
          WAIT_SECONDS: "5"
        volumes:
          - /var/run/docker.sock:/var/run/docker.sock
"#,
        quoted(partition)
    )
}

fn cloud_config(metadata_url: &str) -> String {
    format!(
        r#"datasource:
  Ec2:
    metadata_urls: [{}]
    strict_id: false
system_info:
  default_user:
    name: tink
    groups: [wheel, adm]
    sudo: ["ALL=(ALL) NOPASSWD:ALL"]
    shell: /bin/bash
manage_etc_hosts: localhost
warnings:
  dsid_missing_source: off
"#,
        quoted(metadata_url)
    )
}

fn metadata_url(tinkerbell_ip: &str, port: u16) -> String {
    let host = if tinkerbell_ip.is_empty() { DEFAULT_TINKERBELL_IP } else { tinkerbell_ip };
    if host.parse::<Ipv6Addr>().is_ok() { format!("http://[{host}]:{port}") } else { format!("http://{host}:{port}") }
}
