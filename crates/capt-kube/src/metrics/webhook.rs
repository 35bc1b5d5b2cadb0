//! The webhook server, counted as controller-runtime counts it.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::labels::Labels;

/// Requests to webhooks, and reads of their certificate.
#[derive(Clone, Debug, Default)]
pub struct Webhook {
    requests: Family<[(&'static str, Value); 2], Counter>,
    in_flight: Family<Labels<1>, Gauge>,
    /// Stay at 0: dashboards ask for them, and nothing of ours counts there.
    panics: Counter,
    conversion_panics: Counter,
    certificate_reads: Counter,
    certificate_errors: Counter,
}

/// A status code or a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Value {
    Code(u16),
    Path(&'static str),
}

impl prometheus_client::encoding::EncodeLabelValue for Value {
    fn encode(&self, encoder: &mut prometheus_client::encoding::LabelValueEncoder<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => code.encode(encoder),
            Self::Path(path) => path.encode(encoder),
        }
    }
}

impl Webhook {
    /// The webhook at this path, all at zero.
    pub fn path(&self, path: &'static str) -> WebhookPath {
        let in_flight = self.in_flight.get_or_create_owned(&[("webhook", path)]);
        let webhook = WebhookPath { of: self.clone(), path, in_flight };
        for code in [200, 500] {
            drop(webhook.answered(code));
        }
        webhook
    }

    /// The certificate was read from its file; or it could not be.
    pub fn certificate_read(&self, succeeded: bool) {
        self.certificate_reads.inc();
        if !succeeded {
            self.certificate_errors.inc();
        }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let name = |name| format!("controller_runtime_{name}");
        registry.register(
            name("webhook_requests"),
            "Requests to webhooks, by status code and path",
            self.requests.clone(),
        );
        registry.register(name("webhook_requests_in_flight"), "Requests to webhooks under way", self.in_flight.clone());
        registry.register(name("webhook_panics"), "Requests that met a fault of ours", self.panics.clone());
        registry.register(
            name("conversion_webhook_panics"),
            "Conversions that met a fault of ours; always 0, for there is but one version",
            self.conversion_panics.clone(),
        );
        let help = "Reads of the webhook server's certificate";
        registry.register("certwatcher_read_certificate", help, self.certificate_reads.clone());
        let help = "Reads of the webhook server's certificate that failed";
        registry.register("certwatcher_read_certificate_errors", help, self.certificate_errors.clone());
    }
}

/// One webhook.
#[derive(Clone, Debug)]
pub struct WebhookPath {
    of: Webhook,
    path: &'static str,
    in_flight: Gauge,
}

/// A request to a webhook under way, until dropped.
#[must_use]
pub struct InFlight<'a>(&'a Gauge);

impl WebhookPath {
    /// The path itself.
    pub fn path(&self) -> &'static str {
        self.path
    }

    /// A request begins; it is over when what is returned is dropped.
    pub fn begin(&self) -> InFlight<'_> {
        self.in_flight.inc();
        InFlight(&self.in_flight)
    }

    /// A request is answered with this status.
    pub fn end(&self, code: u16) {
        self.answered(code).inc();
    }

    fn answered(&self, code: u16) -> Counter {
        self.of.requests.get_or_create_owned(&[("code", Value::Code(code)), ("webhook", Value::Path(self.path))])
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}
