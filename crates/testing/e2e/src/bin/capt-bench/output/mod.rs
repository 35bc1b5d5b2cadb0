//! Results for people.

pub mod chart;
pub mod criterion;
pub mod markdown;
pub mod table;

use crate::results::Run;

/// A run in one line.
pub fn line(run: &Run) -> String {
    format!(
        "ready in {:.1} s, {:.1} ms CPU and {:.2} writes per machine, peak {:.1} MiB; \
         idle {:.2} writes per machine; gone in {:.1} s, {:.2} writes per machine",
        run.provision.seconds,
        run.provision.cpu_ms_per_machine,
        run.provision.writes_per_machine,
        run.peak_mib,
        run.idle.writes_per_machine,
        run.release.seconds,
        run.release.writes_per_machine,
    )
}

/// One number of a run.
pub struct Measure {
    /// What it is.
    pub name: &'static str,
    /// What it is counted in.
    pub unit: &'static str,
    /// The number.
    pub of: fn(&Run) -> f64,
}

/// All numbers of a run, in the order of tables.
pub const MEASURES: [Measure; 15] = [
    Measure { name: "until all are ready", unit: "s", of: |run| run.provision.seconds },
    Measure { name: "CPU per machine provisioned", unit: "ms", of: |run| run.provision.cpu_ms_per_machine },
    Measure { name: "writes per machine provisioned", unit: "", of: |run| run.provision.writes_per_machine },
    Measure { name: "success to status, median", unit: "ms", of: |run| run.latency_p50_ms },
    Measure { name: "success to status, 99 %", unit: "ms", of: |run| run.latency_p99_ms },
    Measure { name: "peak memory", unit: "MiB", of: |run| run.peak_mib },
    Measure { name: "CPU per machine in 15 s idle", unit: "ms", of: |run| run.idle.cpu_ms_per_machine },
    Measure { name: "writes per machine in 15 s idle", unit: "", of: |run| run.idle.writes_per_machine },
    Measure { name: "until all are released", unit: "s", of: |run| run.release.seconds },
    Measure { name: "CPU per machine released", unit: "ms", of: |run| run.release.cpu_ms_per_machine },
    Measure { name: "writes per machine released", unit: "", of: |run| run.release.writes_per_machine },
    Measure {
        name: "API server's CPU per machine provisioned",
        unit: "ms",
        of: |run| run.provision.server_cpu_ms_per_machine,
    },
    Measure { name: "API server's CPU per machine idle", unit: "ms", of: |run| run.idle.server_cpu_ms_per_machine },
    Measure {
        name: "API server's CPU per machine released",
        unit: "ms",
        of: |run| run.release.server_cpu_ms_per_machine,
    },
    Measure {
        name: "reads and watches per run",
        unit: "",
        of: |run| {
            let phases = [&run.provision, &run.idle, &run.release];
            phases.iter().map(|phase| phase.requests.reads()).sum::<usize>() as f64
        },
    },
];

/// A number with as many digits as mean something.
pub fn number(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

/// A part of a whole, as people say it.
pub fn ratio(value: f64) -> String {
    if value > 0.0 && value < 1.0 { format!("1/{:.1}", 1.0 / value) } else { format!("{value:.2}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_long_as_they_mean_something() {
        let said: Vec<_> = [0.0, 0.123, 4.567, 12.34, 123.4].map(number).into();
        assert_eq!(said, ["0", "0.12", "4.57", "12.3", "123"]);
        assert_eq!([0.125, 1.5, 0.0].map(ratio), ["1/8.0", "1.50", "0.00"]);
    }
}
