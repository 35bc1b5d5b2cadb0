//! What is aimed at, and whether it is reached.

use serde::Serialize;

use crate::results::{Results, Run};
use crate::workload::{COMPARE, IPAM, LARGE, Program};

/// One aim.
#[derive(Clone, Debug, Serialize)]
pub struct Target {
    /// What is measured.
    pub what: &'static str,
    /// The most that it may be.
    pub limit: f64,
    /// What it is; none if it was not measured.
    pub value: Option<f64>,
}

impl Target {
    /// Whether it is reached; none if it was not measured.
    pub fn is_met(&self) -> Option<bool> {
        self.value.map(|value| value <= self.limit)
    }
}

/// All aims, with what was reached.
pub fn targets(results: &Results) -> Vec<Target> {
    let ours = |workload| results.median(workload, Program::CaptManager);
    let ratio = |of: fn(&Run) -> f64| {
        let (ours, theirs) = (ours(COMPARE)?, results.median(COMPARE, Program::GoCapt)?);
        (of(theirs) > 0.0).then(|| of(ours) / of(theirs))
    };
    let cpu = |run: &Run| run.provision.cpu_ms_per_machine;
    let growth = ours(LARGE).zip(ours(COMPARE)).map(|(large, small)| cpu(large) / cpu(small));
    let idle = results.results.iter().filter(|result| result.program == Program::CaptManager);
    let idle = idle.map(|result| result.median.idle.writes_per_machine).reduce(f64::max);
    let target = |what, limit, value| Target { what, limit, value };
    vec![
        target("CPU per machine provisioned, of Go CAPT's", 1.0 / 8.0, ratio(cpu)),
        target("peak memory, of Go CAPT's", 1.0 / 6.0, ratio(|run| run.peak_mib)),
        target("seconds until all are ready, of Go CAPT's", 1.0 / 3.0, ratio(|run| run.provision.seconds)),
        target(
            "writes per machine provisioned, static address",
            9.0,
            ours(COMPARE).map(|run| run.provision.writes_per_machine),
        ),
        target(
            "writes per machine provisioned, pool and BMC",
            11.0,
            ours(IPAM).map(|run| run.provision.writes_per_machine),
        ),
        target("writes per machine in idle", 0.0, idle),
        target("writes per machine released, pool and BMC", 10.0, ours(IPAM).map(|run| run.release.writes_per_machine)),
        target("CPU per machine at 2,000 machines, of that at 500", 1.3, growth),
        target("memory on an empty API server, MiB", 12.0, results.idle_mib),
        target("bytes per cached Hardware", 2048.0, results.bytes_per_hardware.map(|bytes| bytes as f64)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::{Phase, Result, Setting};
    use crate::workload::{Workload, workloads};

    fn run(cpu: f64, peak_mib: f64, writes: f64) -> Run {
        let phase = Phase { cpu_ms_per_machine: cpu, writes_per_machine: writes, seconds: 1.0, ..Phase::default() };
        Run { provision: phase, peak_mib, ..Run::default() }
    }

    #[test]
    fn a_target_is_met_missed_or_not_measured() {
        let compare: Workload = workloads(false).remove(0);
        let setting = Setting { date: String::new(), machine: String::new(), versions: Vec::new(), quick: true };
        let results = Results {
            setting,
            results: vec![
                Result::of(compare, Program::CaptManager, vec![run(10.0, 20.0, 9.5)]),
                Result::of(compare, Program::GoCapt, vec![run(80.0, 100.0, 19.0)]),
            ],
            baseline_seconds: Vec::new(),
            idle_mib: None,
            bytes_per_hardware: None,
            targets: Vec::new(),
        };
        let met: Vec<_> = targets(&results).iter().map(Target::is_met).collect();
        let expected = [Some(true), Some(false), Some(false), Some(false), None, Some(true), None, None, None, None];
        assert_eq!(met, expected);
    }
}
