//! `/healthz` and `/readyz`, with the answers of Kubernetes' own health endpoints.
//!
//! A probe gets 200 `ok`, or 500 with the list of checks. `?verbose` always lists them, `/readyz/<check>` asks for one.

use std::fmt::Write;

use ::http::{Method, Request, StatusCode};
use tokio::net::TcpListener;

use crate::http::{self, Answer, text};

/// A question with yes or no for an answer.
pub struct Check {
    name: &'static str,
    passes: Box<dyn Fn() -> bool + Send + Sync>,
}

impl Check {
    /// A check. The name appears in paths and answers.
    pub fn new(name: &'static str, passes: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self { name, passes: Box::new(passes) }
    }
}

/// The checks of both endpoints.
#[derive(Default)]
pub struct Checks {
    /// Whether the process should live on (`/healthz`). Without a check, an answer is proof enough.
    pub health: Vec<Check>,
    /// Whether it can do its work (`/readyz`).
    pub ready: Vec<Check>,
}

/// Answers probes, for ever.
pub async fn serve(listener: TcpListener, checks: Checks) {
    http::serve(listener, move |request: Request<_>| {
        let uri = request.uri();
        std::future::ready(checks.answer(request.method(), uri.path(), uri.query()))
    })
    .await;
}

impl Checks {
    fn answer(&self, method: &Method, path: &str, query: Option<&str>) -> Answer {
        if !http::is_read(method) {
            return http::wrong_method("GET, HEAD");
        }
        let mut parts = path.trim_start_matches('/').splitn(2, '/');
        let checks = match parts.next() {
            Some("healthz") => &self.health,
            Some("readyz") => &self.ready,
            _ => return http::not_found(),
        };
        let verbose = query.is_some_and(|query| {
            query.split('&').any(|parameter| parameter == "verbose" || parameter.starts_with("verbose="))
        });
        match parts.next().filter(|name| !name.is_empty()) {
            None => all(checks.iter(), verbose),
            Some(name) => match checks.iter().find(|check| check.name == name) {
                Some(check) => all(std::iter::once(check), verbose),
                None => http::not_found(),
            },
        }
    }
}

fn all<'a>(checks: impl Iterator<Item = &'a Check>, verbose: bool) -> Answer {
    let mut list = String::new();
    let mut passed = true;
    for check in checks {
        let passes = (check.passes)();
        passed &= passes;
        let (sign, word) = if passes { ('+', "ok") } else { ('-', "failed") };
        let _ = writeln!(list, "[{sign}]{} {word}", check.name);
    }
    // The word is `healthz` for both endpoints, as upstream.
    list.push_str(if passed { "healthz check passed\n" } else { "healthz check failed\n" });
    match (passed, verbose) {
        (true, false) => text(StatusCode::OK, "ok"),
        (true, true) => text(StatusCode::OK, list),
        (false, _) => text(StatusCode::INTERNAL_SERVER_ERROR, list),
    }
}
