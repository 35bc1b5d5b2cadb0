//! Flags of klog, the log library of Kubernetes' Go programs.

use clap::{ArgAction, Args};

use super::syntax::boolean;

/// The log's verbosity, and what klog has besides. There is one log here, JSON lines on standard output, so the others
/// are checked and then without effect.
#[derive(Debug, Args)]
#[command(next_help_heading = "Log")]
pub struct Klog {
    /// Verbosity: 0 to 3 tells what is done, 4 to 6 also why, more everything.
    #[arg(short, long, default_value_t = 0, allow_negative_numbers = true)]
    pub v: i32,

    /// Without effect; RUST_LOG sets the verbosity by module.
    #[arg(long, hide_short_help = true, default_value = "")]
    vmodule: String,

    /// Without effect: the log goes to standard output.
    #[arg(long, hide_short_help = true, default_value = "true", value_parser = boolean, action = ArgAction::Set, num_args = 0..=1,
          require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    logtostderr: bool,

    /// Without effect.
    #[arg(long, hide_short_help = true, default_value = "false", value_parser = boolean, action = ArgAction::Set, num_args = 0..=1,
          require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    alsologtostderr: bool,

    /// Without effect: INFO, WARNING, ERROR, FATAL or a number.
    #[arg(long, hide_short_help = true, default_value = "INFO", value_parser = severity)]
    stderrthreshold: u8,

    /// Without effect.
    #[arg(hide_short_help = true, long = "legacy_stderr_threshold_behavior", default_value = "false", value_parser = boolean,
          action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true",
          value_name = "BOOL")]
    legacy_stderr_threshold_behavior: bool,

    /// Without effect: no files are written.
    #[arg(hide_short_help = true, long = "log_dir", default_value = "")]
    log_dir: String,

    /// Without effect: no files are written.
    #[arg(hide_short_help = true, long = "log_file", default_value = "")]
    log_file: String,

    /// Without effect: no files are written.
    #[arg(hide_short_help = true, long = "log_file_max_size", default_value_t = 1800)]
    log_file_max_size: u64,

    /// Without effect.
    #[arg(hide_short_help = true, long = "log_backtrace_at", default_value = "")]
    log_backtrace_at: String,

    /// Without effect.
    #[arg(hide_short_help = true, long = "skip_headers", default_value = "false", value_parser = boolean, action = ArgAction::Set,
          num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    skip_headers: bool,

    /// Without effect.
    #[arg(hide_short_help = true, long = "skip_log_headers", default_value = "false", value_parser = boolean, action = ArgAction::Set,
          num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    skip_log_headers: bool,

    /// Without effect.
    #[arg(hide_short_help = true, long = "add_dir_header", default_value = "false", value_parser = boolean, action = ArgAction::Set,
          num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    add_dir_header: bool,

    /// Without effect.
    #[arg(hide_short_help = true, long = "one_output", default_value = "false", value_parser = boolean, action = ArgAction::Set,
          num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    one_output: bool,
}

impl Klog {
    /// The finest level that is logged.
    pub fn level(&self) -> &'static str {
        capt_kube::serve::diagnostics::level_of(self.v)
    }
}

/// klog's severities, by name or number.
fn severity(text: &str) -> Result<u8, &'static str> {
    match text.to_ascii_uppercase().as_str() {
        "INFO" | "0" => Ok(0),
        "WARNING" | "1" => Ok(1),
        "ERROR" | "2" => Ok(2),
        "FATAL" | "3" => Ok(3),
        _ => Err("none of INFO, WARNING, ERROR, FATAL"),
    }
}
