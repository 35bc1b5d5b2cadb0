//! Cluster API's feature gates: read, and without effect.

use super::syntax::boolean;

/// The gates of Cluster API 1.12 and those that came before.
const KNOWN: [&str; 13] = [
    "AllAlpha",
    "AllBeta",
    "ClusterResourceSet",
    "ClusterTopology",
    "InPlaceUpdates",
    "KubeadmBootstrapFormatIgnition",
    "MachinePool",
    "MachineSetPreflightChecks",
    "MachineTaintPropagation",
    "MachineWaitForVolumeDetachConsiderVolumeAttachments",
    "PriorityQueue",
    "ReconcilerRateLimiting",
    "RuntimeSDK",
];

/// What was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gates(Vec<String>);

impl Gates {
    /// The gates that Cluster API does not have: a typing error, or a newer release than we know.
    pub fn unknown(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str).filter(|name| !KNOWN.contains(name))
    }
}

/// Reads `GATE=true,GATE=false`.
pub fn parse(text: &str) -> Result<Gates, String> {
    let gates = text.split(',').map(str::trim).filter(|gate| !gate.is_empty());
    let names = gates.map(|gate| match gate.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => {
            boolean(value.trim()).map(|_| name.trim().to_owned()).map_err(|wrong| format!("{gate}: {wrong}"))
        }
        _ => Err(format!("{gate}: not of the form GATE=true")),
    });
    names.collect::<Result<_, _>>().map(Gates)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gates_of_the_cluster_api_operator_are_taken_and_strange_ones_named() {
        let gates = parse("ClusterTopology=true, MachinePool=false,Typo=1,").unwrap();
        assert_eq!(gates.unknown().collect::<Vec<_>>(), ["Typo"]);
        assert_eq!(parse(""), Ok(Gates::default()));
    }

    #[test]
    fn what_is_no_gate_is_refused() {
        for text in ["ClusterTopology", "ClusterTopology=maybe", "=true", "a=true,b"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
