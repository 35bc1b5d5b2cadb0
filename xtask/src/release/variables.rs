//! The variables of clusterctl: which there are, and the file that lists them.
//!
//! clusterctl looks at the text, comments included, before it looks at YAML. The first place where a name stands decides whether it has
//! a default; an empty one counts as none; a `}` ends it.

use std::collections::BTreeMap;

use anyhow::{Context, bail, ensure};

use crate::generated::Files;

/// Variables with their defaults, by name.
pub type Variables = BTreeMap<String, Option<String>>;

/// What the variables are for. Those of clusterctl's own are set by its flags.
const PURPOSES: [(&str, &str); 16] = [
    ("TINKERBELL_IP", "where machines reach Tinkerbell"),
    (
        "EXTERNAL_TINKERBELL_KUBECONFIG",
        "Secret with the kubeconfig of the cluster where Tinkerbell is, if it is another one",
    ),
    ("CLUSTER_NAME", "clusterctl sets it"),
    ("KUBERNETES_VERSION", "clusterctl sets it: --kubernetes-version"),
    ("CONTROL_PLANE_MACHINE_COUNT", "clusterctl sets it: --control-plane-machine-count"),
    ("WORKER_MACHINE_COUNT", "clusterctl sets it: --worker-machine-count"),
    ("CONTROL_PLANE_VIP", "address of the cluster's API server, which no machine gets"),
    ("POD_CIDR", "network of the pods"),
    ("SERVICE_CIDR", "network of the services"),
    ("BASE_REGISTRY_URL", "registry and path of the machines' images"),
    ("KUBE_VIP_IMAGE", "image of kube-vip"),
    ("NODE_ADDRESSES", "flavour ipam: addresses of the machines, such as 10.0.0.100-10.0.0.200"),
    ("NODE_PREFIX", "flavour ipam: length of their network's prefix"),
    ("NODE_GATEWAY", "flavour ipam: their gateway"),
    ("CONTROL_PLANE_HARDWARE_TYPE", "flavour external-tinkerbell: label `type` of the control plane's Hardware"),
    ("WORKER_HARDWARE_TYPE", "flavour external-tinkerbell: label `type` of the workers' Hardware"),
];

/// The variables of a text.
///
/// # Errors
/// When something that begins like a variable is none, which clusterctl refuses for the whole file.
pub fn of(text: &str) -> anyhow::Result<Variables> {
    let mut found = Variables::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        // `$$` is how clusterctl is told to leave a variable of somebody else alone.
        if before.ends_with('$') {
            rest = after;
            continue;
        }
        let (inside, after) = after.split_once('}').context("a variable that does not end")?;
        let end =
            inside.find(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_')).unwrap_or(inside.len());
        let (name, default) = inside.split_at(end);
        ensure!(!name.is_empty(), "${{{inside}}} has no name");
        let default = match default {
            "" => None,
            default => match default.strip_prefix(":=").filter(|default| !default.is_empty()) {
                Some(default) => Some(default.to_owned()),
                None => bail!("${{{inside}}}: only :=DEFAULT is used here, and an empty default counts as none"),
            },
        };
        found.entry(name.to_owned()).or_insert(default);
        rest = after;
    }
    Ok(found)
}

/// `variables.env`: every variable with its default; those without one are left to be filled in.
///
/// # Errors
/// When a variable has no purpose, or a purpose no variable.
pub fn file(components: &str, templates: &Files) -> anyhow::Result<String> {
    let mut all = of(components)?;
    for (name, text) in templates {
        for (variable, default) in of(text).with_context(|| name.clone())? {
            let known = all.entry(variable.clone()).or_insert_with(|| default.clone());
            ensure!(*known == default, "{name}: {variable} has another default elsewhere");
        }
    }
    let mut text =
        String::from("# Variables of clusterctl: `set -a; . ./variables.env`, or put them into clusterctl.yaml.\n");
    for (name, purpose) in PURPOSES {
        let default = all.remove(name).with_context(|| format!("{name} is used nowhere"))?;
        text.push_str(&match default {
            _ if purpose.starts_with("clusterctl sets it") => format!("\n# {name}: {purpose}\n"),
            Some(default) => format!("\n# {purpose}\n{name}={default}\n"),
            None => format!("\n# {purpose}; needed\n# {name}=\n"),
        });
    }
    ensure!(all.is_empty(), "what are these variables for? {:?}", all.keys());
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_read_as_clusterctl_reads_them() {
        let found = of("a: ${A:=x}\n# ${B}\nc: $$${C} ${A} $(d) $e ${B:=late}\n").unwrap();
        let expected = [("A", Some("x")), ("B", None)];
        let expected = expected.map(|(name, default)| (name.to_owned(), default.map(str::to_owned)));
        assert_eq!(found, Variables::from(expected));
        for bad in ["${a.b}", "${}", "${A", "${A:=}", "${A:-x}"] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }
}
