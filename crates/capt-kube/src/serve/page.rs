//! A [`Snapshot`] for people.

use std::fmt::Write as _;
use std::time::Duration;

use crate::snapshot::{FailureSnapshot, Snapshot};

/// The page.
pub(super) fn of(now: &Snapshot, log: &str) -> String {
    let mut page = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut page, now, log);
    page
}

fn write(page: &mut String, now: &Snapshot, log: &str) -> std::fmt::Result {
    match &now.lease {
        None => writeln!(page, "lead: no election")?,
        Some(lease) if lease.leading => writeln!(page, "lead: ours, as {}", lease.holder)?,
        Some(lease) if lease.holder.is_empty() => writeln!(page, "lead: standing by; there is no leader")?,
        Some(lease) => writeln!(page, "lead: standing by; {} leads", lease.holder)?,
    }
    writeln!(page, "log: {log}")?;
    writeln!(page, "events dropped: {}\n", now.events_dropped)?;

    writeln!(page, "{:<20} {:>7} {:>7} {:>7} {:>12}", "QUEUE", "READY", "RUNNING", "DELAYED", "LONGEST WORK")?;
    for queue in &now.queues {
        let longest = time(Some(queue.longest_seconds));
        let (ready, running, delayed) = (queue.ready, queue.running, queue.delayed);
        writeln!(page, "{:<20} {ready:>7} {running:>7} {delayed:>7} {longest:>12}", queue.controller)?;
        failure(page, queue.last_failure.as_ref())?;
    }

    let heads = ["OBJECTS", "INVALID", "WATCH AGE", "QUIET FOR", "RESTARTS"];
    write!(page, "\n{:<20} {:<8}", "KIND", "PRESENCE")?;
    heads.iter().try_for_each(|head| write!(page, " {head:>9}"))?;
    writeln!(page)?;
    for kind in &now.kinds {
        write!(page, "{:<20} {:<8} {:>9} {:>9}", kind.kind, kind.presence, kind.objects, kind.invalid)?;
        writeln!(page, " {:>9} {:>9} {:>9}", time(kind.age_seconds), time(kind.quiet_seconds), kind.restarts)?;
        failure(page, kind.last_failure.as_ref())?;
    }
    for (kind, pools) in &now.pools {
        writeln!(page, "{kind}: {pools} pools")?;
    }

    if !now.claims.is_empty() {
        writeln!(page, "\n{:<40} {:>9} {:>9} {:>11}", "CLAIMS ON POOL", "PENDING", "FULFILLED", "TERMINATING")?;
    }
    for pool in &now.claims {
        let name = format!("{} {}", pool.kind, pool.pool);
        writeln!(page, "{name:<40} {:>9} {:>9} {:>11}", pool.pending, pool.fulfilled, pool.terminating)?;
    }
    Ok(())
}

fn failure(page: &mut String, last: Option<&FailureSnapshot>) -> std::fmt::Result {
    let Some(last) = last else { return Ok(()) };
    let object = last.object.as_ref().map(|object| format!("{object}: ")).unwrap_or_default();
    writeln!(page, "    failed {} ago: {object}{}", time(Some(last.seconds_ago)), last.error)
}

/// A time as people say it, such as `1m 5s`.
fn time(seconds: Option<f64>) -> String {
    let Some(time) = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()) else {
        return "-".to_owned();
    };
    match time.as_secs() {
        0..10 => format!("{:.1}s", time.as_secs_f64()),
        seconds @ 10..60 => format!("{seconds}s"),
        seconds @ 60..3600 => format!("{}m {}s", seconds / 60, seconds % 60),
        seconds => format!("{}h {}m", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short() {
        for (seconds, text) in [
            (0.04, "0.0s"),
            (9.96, "10.0s"),
            (59.9, "59s"),
            (65.0, "1m 5s"),
            (7260.0, "2h 1m"),
            (f64::NAN, "-"),
            (-1.0, "-"),
        ] {
            assert_eq!(time(Some(seconds)), text, "{seconds}");
        }
        assert_eq!(time(None), "-");
    }
}
