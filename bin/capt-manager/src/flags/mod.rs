//! Flags, as the Go manager takes them: one dash or two, Go's booleans and durations, the last of several wins.
//!
//! Each can be set by an environment variable too, named like the flag in upper case with `_` for `-`, or by the same with
//! `CAPT_` before it, which goes first.

mod accepted;
mod addresses;
mod gates;
mod klog;
mod syntax;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use capt_kube::cache::WatchFilter;
use capt_kube::lease::{self, Election, POD_NAMESPACE, pod_namespace};
use capt_kube::{Settings, client};
use clap::{CommandFactory, FromArgMatches, Parser};

use gates::Gates;
use syntax::{LeaseId, address, at_least_one, boolean, duration, lease_id, placeholders, two_dashes, with_variables};

pub use addresses::{Addresses, DIAGNOSTICS, LOCAL_DIAGNOSTICS};
pub use syntax::first_set;

/// The Cluster API infrastructure provider for Tinkerbell.
///
/// It works on the cluster that KUBECONFIG names, else on the one it runs in, else on the one of ~/.kube/config.
/// Each flag can be written with one dash or two, and be set by an environment variable that is named like it, in upper
/// case with _ for -, or by the same with CAPT_ before it. The command line goes first, then the variable with CAPT_. A value that
/// begins with ${ counts as none: it should have been filled in before. RUST_LOG sets the log's filter in detail.
#[derive(Debug, Parser)]
#[command(version, args_override_self = true)]
pub struct Flags {
    /// Watch TinkerbellMachines and TinkerbellClusters of this namespace only.
    #[arg(long)]
    pub namespace: Option<String>,

    /// Reconcile only Clusters, Machines, TinkerbellClusters and TinkerbellMachines whose label
    /// cluster.x-k8s.io/watch-filter has this value; on all if empty.
    #[arg(long, default_value = "")]
    pub watch_filter: String,

    /// How often every object is reconciled even if nothing changed; never if 0s.
    #[arg(long, default_value = "10m", value_parser = duration)]
    pub sync_period: Duration,

    /// Number of objects of each kind to reconcile at once, where the two flags below do not say it.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    pub max_concurrent_reconciles: Option<u16>,

    /// Number of TinkerbellMachines to reconcile at once.
    #[arg(long, default_value = "10", value_parser = at_least_one)]
    pub tinkerbellmachine_concurrency: usize,

    /// Number of TinkerbellClusters to reconcile at once.
    #[arg(long, default_value = "10", value_parser = at_least_one)]
    pub tinkerbellcluster_concurrency: usize,

    /// Number of write requests to the API server in flight at once.
    #[arg(long, default_value_t = client::MAX_WRITES, value_parser = at_least_one)]
    pub kube_api_max_inflight: usize,

    /// Kubeconfig of the cluster where Tinkerbell's Hardware, Templates, Workflows and BMC Jobs are; the cluster we work
    /// on if this is empty, or the file is empty or missing.
    #[arg(long, default_value = "/var/run/secrets/external-tinkerbell/kubeconfig")]
    pub external_kubeconfig: String,

    /// Address at which machines reach Tinkerbell's metadata service, for the default template: an IP address, or a DNS name
    /// with a dot in it.
    #[arg(long, default_value = "", value_parser = address)]
    pub tinkerbell_ip: String,

    /// Port of Tinkerbell's metadata service at that address, for the default template. Tinkerbell 0.23 and later serve
    /// it on 7080.
    #[arg(long, default_value_t = capt_kube::Settings::default().reconciler.metadata_port)]
    pub metadata_port: u16,

    /// Elect a leader, and reconcile only as the leader. Needed when several replicas run.
    #[arg(long, default_value = "false", value_parser = boolean, action = clap::ArgAction::Set,
          num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub leader_elect: bool,

    /// Duration that non-leader replicas wait before acquiring an unrenewed Lease.
    #[arg(long, default_value = "15s", value_parser = duration)]
    pub leader_elect_lease_duration: Duration,

    /// Duration that the leader retries to renew its Lease before it gives up leadership.
    #[arg(long, default_value = "10s", value_parser = duration)]
    pub leader_elect_renew_deadline: Duration,

    /// Duration between attempts to acquire or renew the Lease.
    #[arg(long, default_value = "2s", value_parser = duration)]
    pub leader_elect_retry_period: Duration,

    /// Namespace of the Lease; the pod's own if empty.
    #[arg(long, default_value = "")]
    pub leader_election_namespace: String,

    /// Name of the Lease, or its namespace and name with a / between them, as the Cluster API operator passes it.
    /// --leader-election-namespace goes first.
    #[arg(long, default_value = lease::NAME, value_parser = lease_id)]
    pub leader_election_id: LeaseId,

    /// Address of the health endpoint; none if empty or 0.
    #[arg(long, default_value = ":9440")]
    pub health_addr: String,

    #[command(flatten)]
    pub addresses: addresses::Addresses,

    /// Address that the webhooks listen on; all of the machine if empty.
    #[arg(long, default_value = "")]
    pub webhook_host: String,

    /// Port of the webhooks (TLS); 0 turns them off.
    #[arg(long, default_value_t = 9443)]
    pub webhook_port: u16,

    /// Directory of the webhooks' certificate, tls.crt and tls.key. Read again when they change.
    #[arg(long, default_value = "/tmp/k8s-webhook-server/serving-certs")]
    pub webhook_cert_dir: PathBuf,

    /// Cluster API's feature gates, as GATE=true,GATE=false. None has an effect here: the Cluster API operator passes
    /// this flag to every provider.
    #[arg(long, default_value = "", value_parser = gates::parse)]
    pub feature_gates: Gates,

    #[command(flatten)]
    pub klog: klog::Klog,

    #[command(flatten)]
    accepted: accepted::Accepted,
}

impl Flags {
    /// The flags of this process. Ends it with code 2 if they make no sense.
    pub fn read() -> Self {
        Self::of(std::env::args_os()).unwrap_or_else(|wrong| wrong.exit())
    }

    /// The variables of flags that hold a placeholder in place of a value.
    pub fn placeholders() -> Vec<String> {
        placeholders(&Self::command())
    }

    /// Address of the webhooks, as for [`capt_kube::http::bind`]; empty where they are off.
    pub fn webhook_address(&self) -> String {
        let host = self.webhook_host.trim();
        match self.webhook_port {
            0 => String::new(),
            port if host.contains(':') && !host.starts_with('[') => format!("[{host}]:{port}"),
            port => format!("{host}:{port}"),
        }
    }

    fn of(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let mut matches = with_variables(Self::command()).try_get_matches_from(two_dashes(arguments))?;
        let unsaid = |id: &str| matches.value_source(id) == Some(clap::parser::ValueSource::DefaultValue);
        let (machines, clusters) = (unsaid("tinkerbellmachine_concurrency"), unsaid("tinkerbellcluster_concurrency"));
        let mut flags = Self::from_arg_matches_mut(&mut matches)?;
        if let Some(most) = flags.max_concurrent_reconciles.map(usize::from) {
            flags.tinkerbellmachine_concurrency = if machines { most } else { flags.tinkerbellmachine_concurrency };
            flags.tinkerbellcluster_concurrency = if clusters { most } else { flags.tinkerbellcluster_concurrency };
        }
        Ok(flags)
    }

    /// What the manager wants to know.
    ///
    /// # Errors
    /// When a leader election is wanted that cannot be.
    pub fn settings(&self) -> anyhow::Result<Settings> {
        let mut settings = Settings {
            namespace: Some(self.namespace.clone().unwrap_or_default()).filter(|namespace| !namespace.is_empty()),
            watch_filter: WatchFilter::new(&self.watch_filter),
            sync_period: self.sync_period,
            machine_workers: self.tinkerbellmachine_concurrency,
            cluster_workers: self.tinkerbellcluster_concurrency,
            election: self.election()?,
            ..Settings::default()
        };
        settings.reconciler.tinkerbell_ip.clone_from(&self.tinkerbell_ip);
        settings.reconciler.metadata_port = self.metadata_port;
        Ok(settings)
    }

    fn election(&self) -> anyhow::Result<Option<Election>> {
        if !self.leader_elect {
            return Ok(None);
        }
        let LeaseId { namespace, name } = self.leader_election_id.clone();
        let said = Some(self.leader_election_namespace.clone()).filter(|namespace| !namespace.is_empty());
        let namespace = match said.or(namespace) {
            Some(namespace) => namespace,
            None => pod_namespace(Path::new(POD_NAMESPACE)).context("--leader-election-namespace")?,
        };
        let election = Election {
            name,
            lease_duration: self.leader_elect_lease_duration,
            renew_deadline: self.leader_elect_renew_deadline,
            retry_period: self.leader_elect_retry_period,
            ..Election::new(namespace)
        };
        election.check().with_context(|| {
            format!(
                "--leader-elect-lease-duration={:?}, --leader-elect-renew-deadline={:?} and --leader-elect-retry-period={:?} \
                 contradict each other",
                election.lease_duration, election.renew_deadline, election.retry_period
            )
        })?;
        Ok(Some(election))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(arguments: &[&str]) -> Result<Flags, clap::Error> {
        let all = std::iter::once("capt-manager").chain(arguments.iter().copied()).map(OsString::from);
        Flags::of(all)
    }

    #[test]
    fn a_flag_of_the_go_manager_is_understood_however_it_is_written() {
        for (arguments, expected) in [
            (&["--leader-elect"][..], true),
            (&["-leader-elect"], true),
            (&["-leader-elect=true"], true),
            (&["--leader-elect=T"], true),
            (&["--leader-elect=false"], false),
            (&["-leader-elect=0"], false),
            (&["--leader-elect", "-leader-elect=False"], false),
            (&["--leader-elect", "-v=4"], true),
            (&[], false),
        ] {
            assert_eq!(flags(arguments).unwrap().leader_elect, expected, "{arguments:?}");
        }
        let read =
            flags(&["-v", "5", "-namespace", "n", "-health-addr=0", "--leader-elect-lease-duration=1m30s"]).unwrap();
        assert_eq!((read.klog.v, read.namespace.as_deref(), read.health_addr.as_str()), (5, Some("n"), "0"));
        assert_eq!(read.leader_elect_lease_duration, Duration::from_secs(90));
    }

    #[test]
    fn nonsense_ends_with_code_2() {
        for arguments in [
            &["--no-such-flag"][..],
            &["-no-such-flag=1"],
            &["-v4"],
            &["--leader-elect=maybe"],
            &["--leader-elect-retry-period=5"],
            &["--leader-elect-retry-period=-5s"],
            &["word"],
            &["--tinkerbellmachine-concurrency=0"],
            &["--tinkerbellcluster-concurrency=0"],
            &["--kube-api-max-inflight=0"],
            &["--tinkerbell-ip=banana"],
            &["--tinkerbell-ip=10.0.0"],
            &["--tinkerbell-ip=http://10.0.0.1"],
        ] {
            assert_eq!(flags(arguments).unwrap_err().exit_code(), 2, "{arguments:?}");
        }
    }

    #[test]
    fn tinkerbells_address_is_one_that_machines_can_reach() {
        for address in ["10.0.0.1", "2001:db8::1", "tink.example.org", ""] {
            assert_eq!(flags(&[&format!("--tinkerbell-ip={address}")]).unwrap().tinkerbell_ip, address);
        }
    }

    #[test]
    fn flags_without_effect_are_told_by_the_long_help_alone() {
        let short = Flags::command().render_help().to_string();
        for flag in ["--vmodule", "--logtostderr", "--profiler-address", "--tinkerbell-hardware-concurrency"] {
            assert!(!short.contains(flag), "{flag}");
            assert!(Flags::command().render_long_help().to_string().contains(flag), "{flag}");
        }
    }

    #[test]
    fn durations_are_those_of_go() {
        for (text, millis) in [("15s", 15_000), ("1m30s", 90_000), ("300ms", 300), ("1.5h", 5_400_000), ("0s", 0)] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn an_election_that_cannot_be_is_refused_before_the_start() {
        let of = |arguments: &[&str]| flags(arguments).unwrap().settings();
        assert!(of(&[]).unwrap().election.is_none());
        let here = "--leader-election-namespace=capt-system";
        assert_eq!(of(&["--leader-elect", here]).unwrap().election.unwrap().namespace, "capt-system");
        let error = of(&["--leader-elect", here, "--leader-elect-renew-deadline=20s"]).unwrap_err();
        let told = format!("{error:#}");
        for part in ["--leader-elect-lease-duration=15s", "renew-deadline=20s", "must exceed the renew deadline"] {
            assert!(told.contains(part), "{part} in {told}");
        }
    }

    #[test]
    fn the_operators_way_to_name_the_lease_is_understood() {
        let of = |arguments: &[&str]| {
            let all: Vec<&str> = [&["--leader-elect"], arguments].concat();
            let election = flags(&all).unwrap().settings().unwrap().election.unwrap();
            format!("{}/{}", election.namespace, election.name)
        };
        assert_eq!(of(&["--leader-election-id=there/lease"]), "there/lease");
        assert_eq!(of(&["--leader-election-namespace=here"]), "here/controller-leader-election-capt");
        assert_eq!(of(&["--leader-election-namespace=here", "--leader-election-id=there/lease"]), "here/lease");
        for odd in ["", "/", "a/", "/b", "a/b/c", "A", "a b"] {
            assert!(flags(&[&format!("--leader-election-id={odd}")]).is_err(), "{odd:?}");
        }
    }

    #[test]
    fn one_number_of_workers_is_for_all_kinds_but_those_that_have_their_own() {
        let of = |arguments: &[&str]| {
            let read = flags(arguments).unwrap().settings().unwrap();
            (read.machine_workers, read.cluster_workers)
        };
        assert_eq!(of(&[]), (10, 10));
        assert_eq!(of(&["--max-concurrent-reconciles=3"]), (3, 3));
        assert_eq!(of(&["--max-concurrent-reconciles=3", "--tinkerbellmachine-concurrency=10"]), (10, 3));
        assert!(flags(&["--max-concurrent-reconciles=0"]).is_err());
    }

    #[test]
    fn webhooks_listen_where_the_flags_say() {
        let of = |arguments: &[&str]| flags(arguments).unwrap().webhook_address();
        assert_eq!(of(&[]), ":9443");
        assert_eq!(of(&["--webhook-host=127.0.0.1", "--webhook-port=1"]), "127.0.0.1:1");
        assert_eq!(
            (of(&["--webhook-host=::1"]), of(&["--webhook-host=[::1]"])),
            ("[::1]:9443".into(), "[::1]:9443".into())
        );
        assert_eq!(of(&["--webhook-host=::1", "--webhook-port=0"]), "");
    }

    #[test]
    fn the_metadata_service_of_the_default_template_is_where_the_flags_say() {
        let of = |arguments: &[&str]| flags(arguments).unwrap().settings().unwrap().reconciler;
        assert_eq!(of(&[]).metadata_port, 50061, "the Go manager's, so that nothing changes unasked");
        let read = of(&["--tinkerbell-ip=10.0.0.1", "--metadata-port", "7080"]);
        assert_eq!((read.tinkerbell_ip.as_str(), read.metadata_port), ("10.0.0.1", 7080));
    }

    /// Flags and variables of the table in the documents, with their defaults.
    #[test]
    fn each_flag_of_the_go_manager_is_there_with_its_default_and_its_variable() {
        let command = with_variables(Flags::command());
        for (name, default) in [
            ("metrics-bind-addr", "localhost:8080"),
            ("leader-elect", "false"),
            ("leader-elect-lease-duration", "15s"),
            ("leader-elect-renew-deadline", "10s"),
            ("leader-elect-retry-period", "2s"),
            ("leader-election-namespace", ""),
            ("namespace", ""),
            ("watch-filter", ""),
            ("tinkerbellcluster-concurrency", "10"),
            ("tinkerbellmachine-concurrency", "10"),
            ("tinkerbell-hardware-concurrency", "10"),
            ("tinkerbell-template-concurrency", "10"),
            ("tinkerbell-workflow-concurrency", "10"),
            ("sync-period", "10m"),
            ("webhook-port", "9443"),
            ("webhook-cert-dir", "/tmp/k8s-webhook-server/serving-certs"),
            ("health-addr", ":9440"),
            ("external-kubeconfig", "/var/run/secrets/external-tinkerbell/kubeconfig"),
            ("v", "0"),
            ("vmodule", ""),
            ("logtostderr", "true"),
            ("alsologtostderr", "false"),
            ("stderrthreshold", "INFO"),
            ("legacy_stderr_threshold_behavior", "false"),
            ("log_dir", ""),
            ("log_file", ""),
            ("log_file_max_size", "1800"),
            ("log_backtrace_at", ""),
            ("skip_headers", "false"),
            ("skip_log_headers", "false"),
            ("add_dir_header", "false"),
            ("one_output", "false"),
            ("feature-gates", ""),
            ("leader-election-id", "controller-leader-election-capt"),
            ("diagnostics-address", ":8443"),
            ("insecure-diagnostics", "false"),
            ("local-diagnostics-address", "127.0.0.1:8089"),
            ("webhook-host", ""),
            ("profiler-address", ""),
            ("max-concurrent-reconciles", ""),
        ] {
            let flag = command.get_arguments().find(|flag| flag.get_long() == Some(name)).expect(name);
            let defaults = flag.get_default_values();
            assert!(defaults == [default] || (defaults.is_empty() && default.is_empty()), "{name}: {defaults:?}");
            let variable = name.to_uppercase().replace('-', "_");
            assert_eq!(flag.get_env().map(|name| name.to_string_lossy().into_owned()), Some(variable), "{name}");
            if !default.is_empty() {
                assert!(flags(&[&format!("-{name}={default}")]).is_ok(), "{name}");
            }
        }
    }
}
