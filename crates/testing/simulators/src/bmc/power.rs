use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

/// Whether a server runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Power {
    /// It does not.
    #[default]
    Off,
    /// It does.
    On,
}

impl Power {
    /// As `status.powerState` of a BMC Machine spells it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::On => "on",
        }
    }
}

/// A server was switched on or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PowerChange<'a> {
    /// Namespace of the BMC Machine.
    pub namespace: &'a str,
    /// Name of the BMC Machine.
    pub name: &'a str,
    /// What it is now.
    pub power: Power,
}

type Listener = Box<dyn Fn(PowerChange<'_>) + Send + Sync>;

/// The power of every server with a BMC. It is the truth: `status.powerState` follows it.
#[derive(Clone, Default)]
pub struct PowerStates {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    states: Mutex<BTreeMap<(String, String), Power>>,
    calls: Mutex<BTreeMap<(String, String), u64>>,
    listeners: Mutex<Vec<Listener>>,
}

impl PowerStates {
    /// The power of the server behind a BMC Machine; one never heard of is off.
    pub fn get(&self, namespace: &str, name: &str) -> Power {
        let key = (namespace.to_owned(), name.to_owned());
        self.inner.states.lock().get(&key).copied().unwrap_or_default()
    }

    /// Whether the state of the server was ever set.
    pub(crate) fn knows(&self, namespace: &str, name: &str) -> bool {
        let key = (namespace.to_owned(), name.to_owned());
        self.inner.states.lock().contains_key(&key)
    }

    /// Presses the power button, and returns after every listener has heard it.
    pub fn set(&self, namespace: &str, name: &str, power: Power) {
        // Held throughout, so that listeners hear changes in their order. They may read states, but not set any.
        let listeners = self.inner.listeners.lock();
        let key = (namespace.to_owned(), name.to_owned());
        let before = self.inner.states.lock().insert(key, power).unwrap_or_default();
        if before != power {
            for listener in listeners.iter() {
                listener(PowerChange { namespace, name, power });
            }
        }
    }

    /// How many commands have reached the BMC behind a BMC Machine, refused ones included. Questions do not count.
    pub fn calls(&self, namespace: &str, name: &str) -> u64 {
        let key = (namespace.to_owned(), name.to_owned());
        self.inner.calls.lock().get(&key).copied().unwrap_or_default()
    }

    pub(crate) fn count_call(&self, namespace: &str, name: &str) {
        let key = (namespace.to_owned(), name.to_owned());
        let mut calls = self.inner.calls.lock();
        let count = calls.entry(key).or_default();
        *count = count.saturating_add(1);
    }

    /// Calls `listener` at every change from now on. It must be quick, and must not set a state.
    pub fn on_change(&self, listener: impl Fn(PowerChange<'_>) + Send + Sync + 'static) {
        self.inner.listeners.lock().push(Box::new(listener));
    }

    /// Every known state, by namespace and name of the BMC Machine.
    pub fn snapshot(&self) -> BTreeMap<(String, String), Power> {
        self.inner.states.lock().clone()
    }
}
