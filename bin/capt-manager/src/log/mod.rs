//! The log: JSON lines on standard output, with a filter that can be changed while the program runs.

mod line;

use std::sync::Mutex;

use capt_kube::quiet::is_enabled;
use capt_kube::serve::diagnostics::LogFilter;
use tracing_subscriber::filter::{EnvFilter, FilterExt, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, reload};

/// The filter of the running log.
pub struct Filter {
    handle: reload::Handle<EnvFilter, Registry>,
    /// As it was asked for: what the filter prints of itself is less readable.
    text: Mutex<String>,
}

/// Starts the log. The filter is that of RUST_LOG, else this level.
pub fn start(level: &'static str) -> Filter {
    let variable = crate::flags::first_set("RUST_LOG");
    let wanted = variable.and_then(|name| std::env::var(name).ok()).filter(|text| !text.trim().is_empty());
    let (layer, filter, complaint) = match wanted.as_deref().map(|text| new(text, std::io::stdout)) {
        Some(Ok((layer, filter))) => (layer, filter, None),
        other => {
            let (layer, filter) = plain(level, std::io::stdout);
            (layer, filter, other.and_then(Result::err))
        }
    };
    tracing_subscriber::registry().with(layer).init();
    // What panics is a fault of the program's: the log tells where, as one of its lines.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(|place| format!("{}:{}", place.file(), place.line()));
        let message = panic.payload_as_str().unwrap_or("no message");
        tracing::error!(place, panic = message, "panic");
    }));
    if let Some(error) = complaint {
        tracing::warn!(error, "RUST_LOG is no filter; going on without it");
    }
    filter
}

type Log = Box<dyn Layer<Registry> + Send + Sync>;

/// A log with this filter, or what is wrong with the filter.
fn new<W>(text: &str, writer: W) -> Result<(Log, Filter), String>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = parse(text)?;
    Ok(with(filter, text, writer))
}

/// A log with a filter that is a level.
fn plain<W>(level: &'static str, writer: W) -> (Log, Filter)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    with(EnvFilter::new(level), level, writer)
}

fn with<W>(filter: EnvFilter, text: &str, writer: W) -> (Log, Filter)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let (filter, handle) = reload::Layer::new(filter);
    let lines = tracing_subscriber::fmt::layer().event_format(line::Json).with_writer(writer);
    let log = line::KeepFields.and_then(lines).with_filter(filter.and(filter_fn(is_enabled)));
    (log.boxed(), Filter { handle, text: Mutex::new(text.to_owned()) })
}

fn parse(text: &str) -> Result<EnvFilter, String> {
    EnvFilter::builder().parse(text).map_err(|error| error.to_string())
}

impl LogFilter for Filter {
    fn get(&self) -> String {
        self.text.lock().map(|text| text.clone()).unwrap_or_default()
    }

    fn set(&self, text: &str) -> Result<(), String> {
        let filter = parse(text)?;
        self.handle.reload(filter).map_err(|error| error.to_string())?;
        if let Ok(mut now) = self.text.lock() {
            text.clone_into(&mut now);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Arc;

    use super::*;

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Paper {
        fn take(&self) -> String {
            String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap()
        }
    }

    fn log(filter: &str) -> (Paper, Filter, tracing::subscriber::DefaultGuard) {
        let paper = Paper::default();
        let writer = paper.clone();
        let (layer, filter) = new(filter, move || writer.clone()).unwrap();
        (paper, filter, tracing_subscriber::registry().with(layer).set_default())
    }

    fn whisper() {
        tracing::debug!(target: "capt_kube::api", "detail");
        tracing::trace!(target: "kube_client::client::builder", body = "s3cret", "requesting");
        tracing::warn!(target: "kube_client::client", body = "s3cret", "cannot read");
        tracing::debug!(target: "kube_runtime::watcher", body = "s3cret", "an event");
        tracing::debug!(target: "hyper_util::client", body = "s3cret", "connecting");
        tracing::trace!(target: "tower_http::trace", body = "s3cret", "headers");
        let span = tracing::error_span!(target: "capt", "quiet", loud = true);
        let _inside = span.enter();
        tracing::debug!(target: "kube_client::client", body = "s3cret", "inside");
    }

    #[test]
    fn no_filter_makes_the_client_tell_what_it_sends() {
        for filter in [
            "trace",
            "kube_client=trace",
            "kube_client::client=trace,hyper_util::client=trace,kube_runtime::watcher=trace,tower_http=trace,capt_kube=debug",
            "[quiet{loud=true}]=trace,capt_kube=trace",
            "info,[quiet]=trace",
            "kube_client[quiet]=trace",
        ] {
            let (paper, live, _guard) = log(filter);
            whisper();
            let text = paper.take();
            assert!(!text.contains("s3cret"), "{filter}: {text}");
            live.set("off").unwrap();
            live.set(filter).unwrap();
            whisper();
            let text = paper.take();
            assert!(!text.contains("s3cret"), "{filter}, put later: {text}");
        }
    }

    #[test]
    fn a_filter_can_be_changed_and_a_bad_one_changes_nothing() {
        let (paper, filter, _guard) = log("info");
        whisper();
        assert_eq!(paper.take(), "");
        filter.set("info,capt_kube=debug").unwrap();
        whisper();
        assert!(paper.take().contains("\"message\":\"detail\""));
        for bad in ["capt_kube=loud", "info,a=b=c", "capt_kube=7x"] {
            assert!(filter.set(bad).is_err(), "{bad}");
            assert_eq!(filter.get(), "info,capt_kube=debug");
        }
        whisper();
        assert!(paper.take().contains("detail"));
        filter.set("warn").unwrap();
        whisper();
        assert_eq!(paper.take(), "");
    }

    #[test]
    fn a_line_tells_when_how_grave_where_and_what() {
        let (paper, _filter, _guard) = log("info");
        tracing::info!(target: "capt", version = "1", ready = true, count = 3, "starting manager");
        let text = paper.take();
        let line: serde_json::Value = serde_json::from_str(text.trim_end()).unwrap();
        let members: Vec<_> = line.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(members, ["timestamp", "level", "caller", "logger", "message", "version", "ready", "count"]);
        assert_eq!((&line["level"], &line["logger"]), (&"INFO".into(), &"capt".into()));
        assert_eq!((&line["ready"], &line["count"]), (&true.into(), &3.into()));
        let caller = line["caller"].as_str().unwrap();
        assert!(caller.contains("mod.rs:"), "{caller}");
        assert!(line["timestamp"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{text}");
        assert_eq!(line["message"], "starting manager");
    }
}
