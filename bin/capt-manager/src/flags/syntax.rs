//! How Go writes flags: one dash or two, its booleans and durations, and an environment variable for each.

use std::ffi::OsString;
use std::time::Duration;

/// Lets each flag be set by the variable that is named like it, in upper case with `_` for `-`. An empty variable
/// counts as none.
pub fn with_variables(command: clap::Command) -> clap::Command {
    command.mut_args(|flag| {
        let name = flag.get_long().unwrap_or(flag.get_id().as_str()).replace('-', "_").to_uppercase();
        match std::env::var_os(&name) {
            Some(value) if value.is_empty() => flag,
            _ => flag.env(OsString::from(name)),
        }
    })
}

/// Gives long flags with one dash, as Go's flag package takes them, their second one.
pub fn two_dashes(arguments: impl IntoIterator<Item = OsString>) -> impl Iterator<Item = OsString> {
    let mut flags = true;
    arguments.into_iter().map(move |argument| {
        let Some(text) = argument.to_str() else {
            return argument;
        };
        flags &= text != "--";
        let name = text.strip_prefix('-').map(|rest| rest.split('=').next().unwrap_or_default());
        match name {
            Some(name) if flags && name.len() > 1 && !name.starts_with('-') => format!("-{text}").into(),
            _ => argument,
        }
    })
}

/// A boolean as Go reads it.
pub fn boolean(text: &str) -> Result<bool, &'static str> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err("neither true nor false"),
    }
}

/// A duration as Go writes it, such as `15s` or `1m30s`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let span: jiff::SignedDuration = text.parse().map_err(|error: jiff::Error| error.to_string())?;
    Duration::try_from(span).map_err(|_| "a duration below zero".to_owned())
}
