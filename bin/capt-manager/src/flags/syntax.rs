//! How Go writes flags: one dash or two, its booleans and durations, and an environment variable for each.

use std::ffi::OsString;
use std::time::Duration;

/// What the shipped Deployment puts before the names of all variables that it takes from its ConfigMap, so that they can stand
/// beside the ones of the same name that clusterctl fills in, and win.
pub const PREFIX: &str = "CAPT_";

/// Lets each flag be set by the variable that is named like it, in upper case with `_` for `-`, or by the one that has
/// [`PREFIX`] before that name, which goes first.
pub fn with_variables(command: clap::Command) -> clap::Command {
    command.mut_args(|flag| {
        let name = variable_of(&flag);
        match first_set(&name) {
            Some(set) => flag.env(OsString::from(set)),
            // Told by --help. An empty variable, or one that nobody filled in, is not to be read.
            None if std::env::var_os(&name).is_none() => flag.env(OsString::from(name)),
            None => flag,
        }
    })
}

fn variable_of(flag: &clap::Arg) -> String {
    flag.get_long().unwrap_or(flag.get_id().as_str()).replace('-', "_").to_uppercase()
}

/// Which of the two variables counts, if one is set.
pub fn first_set(name: &str) -> Option<String> {
    [format!("{PREFIX}{name}"), name.to_owned()]
        .into_iter()
        .find(|name| std::env::var_os(name).is_some_and(|value| says(&value)))
}

fn says(value: &std::ffi::OsStr) -> bool {
    !value.is_empty() && !is_placeholder(value)
}

/// Whether a value is one that should have been filled in before the manifest was applied, such as `${TINKERBELL_IP:=''}`. It
/// stands for nothing, so that the file made for clusterctl can be applied as it is.
fn is_placeholder(value: &std::ffi::OsStr) -> bool {
    value.to_string_lossy().trim_start().starts_with("${")
}

/// The variables of flags that hold a placeholder.
pub fn placeholders(command: &clap::Command) -> Vec<String> {
    let names = command.get_arguments().map(variable_of).flat_map(|name| [format!("{PREFIX}{name}"), name]);
    names.filter(|name| std::env::var_os(name).is_some_and(|value| is_placeholder(&value))).collect()
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

/// A number of what is to be done at once: with none of it nothing would ever be done.
pub fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("must be at least 1".to_owned()),
        Ok(number) => Ok(number),
        Err(error) => Err(format!("{error}")),
    }
}

/// An address that a machine can reach: an IP address, or a DNS name of two labels or more, the last of which is no number.
pub fn address(text: &str) -> Result<String, &'static str> {
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let is_name = text.rsplit_once('.').is_some_and(|(_, last)| last.bytes().any(|byte| byte.is_ascii_alphabetic()))
        && text.split('.').all(is_label);
    if text.is_empty() || is_name || text.parse::<std::net::IpAddr>().is_ok() {
        Ok(text.to_owned())
    } else {
        Err("neither an IP address nor a DNS name such as tinkerbell.example.org")
    }
}

/// Which Lease the replicas compete for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseId {
    /// Its namespace, if one was given.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

/// Reads `name` or `namespace/name`.
pub fn lease_id(text: &str) -> Result<LeaseId, &'static str> {
    let may_be_a_name = |name: &str| {
        !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte))
    };
    let (namespace, name) = match text.split_once('/') {
        Some((namespace, name)) => (Some(namespace), name),
        None => (None, text),
    };
    if !may_be_a_name(name) || !namespace.is_none_or(may_be_a_name) {
        return Err("not of the form NAME or NAMESPACE/NAME");
    }
    Ok(LeaseId { namespace: namespace.map(str::to_owned), name: name.to_owned() })
}
