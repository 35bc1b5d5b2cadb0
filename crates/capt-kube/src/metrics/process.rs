//! The process, as every Prometheus client tells of it; read from `/proc` when asked for.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// Clock ticks a second in `/proc`, the same on every Linux.
const TICKS: f64 = 100.0;

/// CPU time, memory and file descriptors of this process. Tells nothing where there is no `/proc`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Process;

/// What `/proc` says of a process.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Reading {
    cpu_seconds: f64,
    start_time_seconds: f64,
    virtual_bytes: f64,
    resident_bytes: f64,
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        if let Some(reading) = read() {
            let cpu = ConstCounter::new(reading.cpu_seconds);
            let help = "CPU time used so far, of user and system.";
            cpu.encode(encoder.encode_descriptor("process_cpu_seconds", help, None, cpu.metric_type())?)?;
            let start = ("process_start_time_seconds", "Start of the process, in seconds since 1970.");
            gauge(&mut encoder, start, reading.start_time_seconds)?;
            let help = "Size of the process' address space.";
            gauge(&mut encoder, ("process_virtual_memory_bytes", help), reading.virtual_bytes)?;
            gauge(&mut encoder, ("process_resident_memory_bytes", "Memory in use."), reading.resident_bytes)?;
        }
        if let Some(open) = open_files() {
            gauge(&mut encoder, ("process_open_fds", "Open file descriptors."), open)?;
        }
        if let Some(most) = std::fs::read_to_string("/proc/self/limits").ok().and_then(|limits| most_files(&limits)) {
            gauge(&mut encoder, ("process_max_fds", "Open file descriptors at most."), most)?;
        }
        Ok(())
    }
}

fn gauge(encoder: &mut DescriptorEncoder<'_>, (name, help): (&str, &str), value: f64) -> fmt::Result {
    let gauge = ConstGauge::new(value);
    gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)
}

fn read() -> Option<Reading> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let machine = std::fs::read_to_string("/proc/stat").ok()?;
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    parse(&stat, &machine, &status)
}

/// Reads the process' `stat`, the machine's `stat` (for the time of its boot) and the process' `status`.
fn parse(stat: &str, machine: &str, status: &str) -> Option<Reading> {
    // The second field is the program's name in brackets, and may hold anything.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    // The fields after the name begin with number 3 of proc(5).
    let field = |number: usize| fields.get(number.checked_sub(3)?)?.parse::<f64>().ok();
    let boot: f64 = machine.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    Some(Reading {
        cpu_seconds: (field(14)? + field(15)?) / TICKS,
        start_time_seconds: boot + field(22)? / TICKS,
        virtual_bytes: field(23)?,
        resident_bytes: bytes(status, "VmRSS:")?,
    })
}

/// A line of `status`, such as `VmRSS:   5120 kB`.
fn bytes(status: &str, name: &str) -> Option<f64> {
    let rest = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: f64 = rest.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024.0)
}

fn open_files() -> Option<f64> {
    // One of them is the listing itself.
    let count = std::fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1);
    u32::try_from(count).ok().map(f64::from)
}

fn most_files(limits: &str) -> Option<f64> {
    limits.lines().find_map(|line| line.strip_prefix("Max open files"))?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_whose_name_looks_like_fields_does_not_shift_them() {
        let stat = "42 (a) 1 (b) S 1 1 1 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 4 0 12345 8388608 1280 1 1";
        let reading = parse(stat, "cpu 1\nbtime 1000\n", "Name: x\nVmRSS:\t    5120 kB\n").unwrap();
        let expected = Reading {
            cpu_seconds: 3.0,
            start_time_seconds: 1123.45,
            virtual_bytes: 8_388_608.0,
            resident_bytes: 5_242_880.0,
        };
        assert_eq!(reading, expected);
    }

    #[test]
    fn nonsense_in_proc_is_no_reading() {
        for stat in ["", "42 (x", "42 (x) S", "42 (x) S a b c d e f g h i j k l m n o p q r s t"] {
            assert_eq!(parse(stat, "btime 1\n", "VmRSS: 1 kB\n"), None, "{stat}");
        }
        assert_eq!(
            most_files("Max open files            1048576              1048576              files"),
            Some(1_048_576.0)
        );
        assert_eq!(most_files("Max open files            unlimited            unlimited            files"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_is_as_it_should_be() {
        let reading = read().unwrap();
        assert!(reading.resident_bytes > 500_000.0 && reading.virtual_bytes >= reading.resident_bytes, "{reading:?}");
        let now = jiff::Timestamp::now().as_second();
        let age = now - reading.start_time_seconds as i64;
        assert!((-2..3600).contains(&age), "{age}");
        assert!(open_files().unwrap() >= 3.0);
    }
}
