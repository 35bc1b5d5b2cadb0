//! What was measured, as it is written to JSON.

use serde::Serialize;

use crate::audit::Requests;
use crate::targets::Target;
use crate::workload::{Program, Workload};

/// One part of a run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Phase {
    /// How long it took.
    pub seconds: f64,
    /// CPU time of the program per machine, in milliseconds.
    pub cpu_ms_per_machine: f64,
    /// Writes per machine, Events included.
    pub writes_per_machine: f64,
    /// CPU time of the API server per machine, in milliseconds.
    pub server_cpu_ms_per_machine: f64,
    /// Requests per machine that the API server answered, whoever asked.
    pub all_requests_per_machine: f64,
    /// Requests of the program by verb and resource.
    pub requests: Requests,
}

/// One run of one program.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Run {
    /// From the first machine's creation until all were ready. The program's CPU and requests count from its start.
    pub provision: Phase,
    /// The time in which nothing was to be done.
    pub idle: Phase,
    /// From the first machine's deletion until all were gone.
    pub release: Phase,
    /// The most memory the program had resident, in MiB.
    pub peak_mib: f64,
    /// From a Workflow's success to the status of its machine, in milliseconds: half were as fast.
    pub latency_p50_ms: f64,
    /// The same: 99 of 100 were as fast.
    pub latency_p99_ms: f64,
}

/// All runs of one program over one workload.
#[derive(Clone, Debug, Serialize)]
pub struct Result {
    /// The workload.
    pub workload: Workload,
    /// The program.
    pub program: Program,
    /// Each run.
    pub runs: Vec<Run>,
    /// Each number the median of all runs; the requests are those of the last run.
    pub median: Run,
}

/// Where and when it was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Setting {
    /// Day and time, in UTC.
    pub date: String,
    /// Processor, number of cores, memory, kernel.
    pub machine: String,
    /// The programs, each with its version.
    pub versions: Vec<(String, String)>,
    /// It was a short comparison.
    pub quick: bool,
}

/// All of it.
#[derive(Clone, Debug, Serialize)]
pub struct Results {
    /// Where and when.
    pub setting: Setting,
    /// By workload and program.
    pub results: Vec<Result>,
    /// From the first machine's creation until all are ready, in seconds, of each run without a manager.
    pub baseline_seconds: Vec<f64>,
    /// Resident memory of our manager on an empty API server.
    pub idle_mib: Option<f64>,
    /// Bytes that a cached Hardware costs our manager, where that was measured.
    pub bytes_per_hardware: Option<u64>,
    /// What is aimed at, and what was reached.
    pub targets: Vec<Target>,
}

impl Results {
    /// The median of the runs without a manager, if there were any.
    pub fn baseline(&self) -> Option<f64> {
        (!self.baseline_seconds.is_empty()).then(|| median(self.baseline_seconds.clone()))
    }

    /// The median of a program over a workload, where it was run.
    pub fn median(&self, workload: &str, program: Program) -> Option<&Run> {
        self.result(workload, program).map(|result| &result.median)
    }

    /// The runs of a program over a workload, where it was run.
    pub fn result(&self, workload: &str, program: Program) -> Option<&Result> {
        self.results.iter().find(|result| result.workload.name == workload && result.program == program)
    }
}

impl Result {
    /// Sums up some runs.
    pub fn of(workload: Workload, program: Program, runs: Vec<Run>) -> Self {
        let median = median_run(&runs);
        Self { workload, program, runs, median }
    }
}

fn median_run(runs: &[Run]) -> Run {
    let median = |value: fn(&Run) -> f64| median(runs.iter().map(value).collect());
    let last = runs.last();
    let phase = |of: fn(&Run) -> &Phase| {
        let median = |value: fn(&Phase) -> f64| self::median(runs.iter().map(|run| value(of(run))).collect());
        Phase {
            seconds: median(|phase| phase.seconds),
            cpu_ms_per_machine: median(|phase| phase.cpu_ms_per_machine),
            writes_per_machine: median(|phase| phase.writes_per_machine),
            all_requests_per_machine: median(|phase| phase.all_requests_per_machine),
            server_cpu_ms_per_machine: median(|phase| phase.server_cpu_ms_per_machine),
            requests: last.map(|run| of(run).requests.clone()).unwrap_or_default(),
        }
    };
    Run {
        provision: phase(|run| &run.provision),
        idle: phase(|run| &run.idle),
        release: phase(|run| &run.release),
        peak_mib: median(|run| run.peak_mib),
        latency_p50_ms: median(|run| run.latency_p50_ms),
        latency_p99_ms: median(|run| run.latency_p99_ms),
    }
}

/// The value in the middle, or the mean of the two; 0 of none.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let pair = (values.get(middle.saturating_sub(1)), values.get(middle));
    match pair {
        (Some(low), Some(high)) if values.len().is_multiple_of(2) => low.midpoint(*high),
        (_, high) => high.copied().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_the_middle_whatever_the_order() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(vec![7.0]), 7.0);
        assert_eq!(median(Vec::new()), 0.0);
    }

    #[test]
    fn each_number_has_its_own_median() {
        let run = |seconds: f64, peak_mib: f64| Run {
            provision: Phase { seconds, ..Phase::default() },
            peak_mib,
            ..Run::default()
        };
        let median = median_run(&[run(1.0, 9.0), run(2.0, 7.0), run(3.0, 8.0)]);
        assert_eq!((median.provision.seconds, median.peak_mib), (2.0, 8.0));
    }
}
