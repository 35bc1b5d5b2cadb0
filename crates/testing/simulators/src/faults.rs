//! Faults on demand, changeable while the stand-ins run.

use std::sync::Arc;

use parking_lot::Mutex;

/// Names one injected fault, for [`Faults::heal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultId(u64);

/// Faults of kind `F`, each for the objects whose name matches a pattern (`*` stands for any run of characters).
pub struct Faults<F> {
    inner: Arc<Inner<F>>,
}

struct Inner<F> {
    state: Mutex<State<F>>,
    wake: Mutex<Vec<Box<dyn Fn() + Send + Sync>>>,
}

struct State<F> {
    next: u64,
    rules: Vec<Rule<F>>,
}

struct Rule<F> {
    id: FaultId,
    pattern: String,
    fault: F,
    /// How often it still strikes; none means until healed.
    left: Option<u32>,
}

impl<F> Clone for Faults<F> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<F> Default for Faults<F> {
    fn default() -> Self {
        Self {
            inner: Arc::new(Inner { state: Mutex::new(State { next: 0, rules: Vec::new() }), wake: Mutex::default() }),
        }
    }
}

impl<F: Copy + PartialEq> Faults<F> {
    /// From now on objects with a matching name have this fault, until it is healed.
    pub fn inject(&self, pattern: &str, fault: F) -> FaultId {
        self.add(pattern, fault, None)
    }

    /// The fault strikes this many times and is gone then.
    pub fn inject_times(&self, pattern: &str, fault: F, times: u32) -> FaultId {
        self.add(pattern, fault, Some(times))
    }

    /// Takes a fault away; what was stuck goes on.
    pub fn heal(&self, id: FaultId) {
        self.inner.state.lock().rules.retain(|rule| rule.id != id);
        self.wake();
    }

    /// Takes all faults away; what was stuck goes on.
    pub fn heal_all(&self) {
        self.inner.state.lock().rules.clear();
        self.wake();
    }

    fn add(&self, pattern: &str, fault: F, left: Option<u32>) -> FaultId {
        let mut state = self.inner.state.lock();
        let id = FaultId(state.next);
        state.next += 1;
        state.rules.push(Rule { id, pattern: pattern.to_owned(), fault, left });
        id
    }

    fn wake(&self) {
        self.inner.wake.lock().iter().for_each(|wake| wake());
    }

    /// Called whenever a fault is healed.
    pub(crate) fn on_heal(&self, wake: impl Fn() + Send + Sync + 'static) {
        self.inner.wake.lock().push(Box::new(wake));
    }

    /// Whether one of these names has the fault now; no strike.
    pub(crate) fn has(&self, names: &[&str], fault: F) -> bool {
        let state = self.inner.state.lock();
        let hit = |rule: &Rule<F>| rule.fault == fault && names.iter().any(|name| matches(&rule.pattern, name));
        state.rules.iter().any(hit)
    }

    /// Whether one of these names has the fault; counts as one strike.
    pub(crate) fn strikes(&self, names: &[&str], fault: F) -> bool {
        let mut state = self.inner.state.lock();
        let hit = |rule: &Rule<F>| rule.fault == fault && names.iter().any(|name| matches(&rule.pattern, name));
        let Some(at) = state.rules.iter().position(hit) else {
            return false;
        };
        let spent = state.rules.get_mut(at).and_then(|rule| rule.left.as_mut()).is_some_and(|left| {
            *left = left.saturating_sub(1);
            *left == 0
        });
        if spent {
            state.rules.remove(at);
        }
        true
    }
}

/// Whether a name fits a pattern in which `*` stands for any run of characters.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(tail) = name.strip_prefix(head) else {
        return false;
    };
    tail.char_indices()
        .map(|(at, _)| at)
        .chain([tail.len()])
        .any(|at| tail.get(at..).is_some_and(|tail| matches(rest, tail)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_names_only() {
        for (pattern, name, expected) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("*", "", true),
            ("*", "abc", true),
            ("web-*", "web-1", true),
            ("web-*", "xweb-1", false),
            ("*-0", "web-0", true),
            ("*-0", "web-00", false),
            ("*0", "web-00", true),
            ("*-0", "web-01", false),
            ("a*c*e", "abcde", true),
            ("a*c*e", "abde", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} on {name}");
        }
    }

    #[test]
    fn a_counted_fault_ends_after_its_last_strike_and_a_healed_one_at_once() {
        let faults = Faults::default();
        faults.inject_times("a*", 1, 2);
        assert!(!faults.strikes(&["b"], 1));
        assert!(!faults.strikes(&["a"], 2));
        assert!(faults.strikes(&["b", "a1"], 1));
        assert!(faults.strikes(&["a2"], 1));
        assert!(!faults.strikes(&["a3"], 1));
        let id = faults.inject("*", 3);
        assert!(faults.strikes(&["x"], 3));
        faults.heal(id);
        assert!(!faults.strikes(&["x"], 3));
    }
}
