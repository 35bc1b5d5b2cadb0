//! Breadth first through all states, each once; then back again from the ends, to see that every deletion has one.

use std::hash::{BuildHasher, Hash};
use std::time::{Duration, Instant};

use ahash::{AHashMap, RandomState};

use crate::event::{Event, Heard, Next};
use crate::manager::Manager;
use crate::object::{KeyId, Kind, Universe};
use crate::scenario::Scenario;
use crate::state::State;
use crate::{collector, person, provider, rufio, rules, tink};

/// The last rule, checked when all states are known.
const ENDS: &str = "rule 10: a deletion that never ends, though everybody goes on with his work";

/// How far to go.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Events in a row.
    pub depth: usize,
    /// States.
    pub states: usize,
    /// Time.
    pub time: Duration,
}

/// A run that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counterexample {
    /// The rule.
    pub rule: &'static str,
    /// What happens, one line an event.
    pub events: Vec<String>,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// States.
    pub states: usize,
    /// Transitions.
    pub transitions: usize,
    /// The longest of the shortest ways to a state.
    pub depth: usize,
    /// Whether there was nothing left to explore.
    pub complete: bool,
    /// How long it took.
    pub time: Duration,
    /// Different contents of objects.
    pub contents: usize,
    /// The shortest run for each rule that is broken.
    pub broken: Vec<Counterexample>,
}

/// Everything that may follow from a state, in a fixed order.
pub fn successors(universe: &mut Universe, manager: &mut Manager, state: &State, scenario: &Scenario) -> Vec<Next> {
    let mut next = Vec::new();
    manager.moves(universe, state, scenario, &mut next);
    let own = next.len();
    rufio::moves(universe, state, scenario, &mut next);
    tink::moves(universe, state, scenario, &mut next);
    provider::moves(universe, state, scenario, &mut next);
    collector::moves(universe, state, &mut next);
    person::moves(universe, state, scenario, &mut next);
    if !scenario.every_order
        && let Some(quick) = next.iter().position(|next| next.event.is_quick && next.event.is_fair)
    {
        next = vec![next.swap_remove(quick)];
    }
    let own = own.min(next.len());
    if let Some(left) = state.budget.late.checked_sub(1) {
        for n in own..next.len() {
            let Next { event, state: after, broken } = next[n].clone();
            let mut late = after;
            late.budget.late = left;
            for key in changes(universe, state, &late) {
                let held = state.seen(universe, key);
                late.miss(universe, key, held);
            }
            if late.late != state.late {
                let event = Event { heard: Heard::Late, is_fair: false, ..event };
                next.push(Next { event, state: late, broken });
            }
        }
    }
    for Next { state: after, broken, .. } in &mut next {
        let mut late = std::mem::take(&mut after.late);
        late.retain(|(key, held)| after.at(universe, *key) != *held);
        after.late = late;
        *broken = broken.or_else(|| rules::broken(universe, after, scenario));
    }
    next
}

/// The keys whose objects differ between two states, of kinds that the manager reads.
fn changes(universe: &Universe, before: &State, after: &State) -> Vec<KeyId> {
    let differs = |one: &State, other: &State| -> Vec<KeyId> {
        let ids = one.objects.iter().filter(|id| !other.objects.contains(id)).map(|id| universe.get(*id));
        ids.filter(|object| !matches!(object.kind, Kind::Task | Kind::BmcMachine)).map(|object| object.key_id).collect()
    };
    let mut keys = differs(before, after);
    keys.extend(differs(after, before));
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// The state in which everybody has done his work and nothing more happens.
pub fn settled(universe: &mut Universe, scenario: &Scenario, mut state: State) -> State {
    const LONG_ENOUGH: usize = 500;
    let mut manager = Manager::default();
    for _ in 0..LONG_ENOUGH {
        let next = successors(universe, &mut manager, &state, scenario);
        match next.into_iter().find(|next| next.event.is_fair) {
            Some(next) => state = next.state,
            None => break,
        }
    }
    state
}

struct Node {
    parent: u32,
    choice: u16,
    going: u8,
}

/// Explores a small world, up to the first broken rule or all of it.
pub fn explore(scenario: &Scenario, limits: Limits, first_only: bool, mut tell: impl FnMut(usize, usize)) -> Found {
    let begun = Instant::now();
    let (mut universe, mut manager) = (Universe::default(), Manager::default());
    let start = scenario.start(&mut universe);
    let mut search = Search::new(&universe, scenario, &start);
    let mut found = Found { complete: true, ..Found::default() };
    let mut layer = vec![(0_u32, start.clone())];
    while !layer.is_empty() {
        if first_only && !search.bad.is_empty()
            || found.depth >= limits.depth
            || search.nodes.len() >= limits.states
            || begun.elapsed() >= limits.time
        {
            found.complete = false;
            search.open = layer.iter().map(|(index, _)| *index).collect();
            break;
        }
        let mut following = Vec::new();
        for (index, state) in layer {
            for (choice, next) in successors(&mut universe, &mut manager, &state, scenario).into_iter().enumerate() {
                found.transitions += 1;
                if let Some(rule) = next.broken {
                    if !search.bad.iter().any(|(known, ..)| *known == rule) {
                        search.bad.push((rule, index, Some(choice)));
                    }
                    search.cut.push(index);
                    continue;
                }
                let (target, is_new) = search.visit(&universe, scenario, &next.state, index, choice);
                if next.event.is_fair {
                    search.edges.push((index, target));
                }
                if is_new {
                    following.push((target, next.state));
                }
            }
        }
        layer = following;
        found.depth += 1;
        tell(found.depth, search.nodes.len());
    }
    if let Some(index) = search.stuck() {
        search.bad.push((ENDS, index, None));
    }
    found.states = search.nodes.len();
    found.contents = universe.len();
    let bad = std::mem::take(&mut search.bad);
    found.broken = bad
        .into_iter()
        .map(|(rule, index, choice)| {
            let choices = search.way(index).into_iter().chain(choice).collect::<Vec<_>>();
            let events = replay(&mut universe, &mut manager, scenario, start.clone(), &choices);
            Counterexample { rule, events }
        })
        .collect();
    found.time = begun.elapsed();
    found
}

/// What happens on this way from the start.
fn replay(
    universe: &mut Universe,
    manager: &mut Manager,
    scenario: &Scenario,
    mut state: State,
    choices: &[usize],
) -> Vec<String> {
    let mut events = Vec::new();
    for choice in choices {
        let Some(next) = successors(universe, manager, &state, scenario).into_iter().nth(*choice) else { break };
        events.push(next.event.words(universe).to_string());
        state = next.state;
    }
    events
}

struct Search {
    nodes: Vec<Node>,
    known: AHashMap<(u64, u64), u32>,
    hashers: [RandomState; 2],
    edges: Vec<(u32, u32)>,
    bad: Vec<(&'static str, u32, Option<usize>)>,
    cut: Vec<u32>,
    open: Vec<u32>,
}

impl Search {
    fn new(universe: &Universe, scenario: &Scenario, start: &State) -> Self {
        let hashers = [RandomState::with_seeds(1, 2, 3, 4), RandomState::with_seeds(5, 6, 7, 8)];
        let mut search = Self {
            nodes: Vec::new(),
            known: AHashMap::default(),
            hashers,
            edges: Vec::new(),
            bad: Vec::new(),
            cut: Vec::new(),
            open: Vec::new(),
        };
        search.visit(universe, scenario, start, 0, 0);
        search
    }

    /// The number of a state, and whether it is new.
    fn visit(
        &mut self,
        universe: &Universe,
        scenario: &Scenario,
        state: &State,
        parent: u32,
        choice: usize,
    ) -> (u32, bool) {
        let hash = (hash(&self.hashers[0], state), hash(&self.hashers[1], state));
        if let Some(index) = self.known.get(&hash) {
            return (*index, false);
        }
        let index = u32::try_from(self.nodes.len()).expect("fewer states than that fit into memory");
        let mut going = 0;
        for (n, machine) in scenario.machines.iter().enumerate() {
            if rules::is_going(universe, state, machine) {
                going |= 1 << n;
            }
        }
        let choice = u16::try_from(choice).expect("a small world has few events");
        self.nodes.push(Node { parent, choice, going });
        self.known.insert(hash, index);
        (index, true)
    }

    /// The choices that lead from the start to a state.
    fn way(&self, mut index: u32) -> Vec<usize> {
        let mut choices = Vec::new();
        while index != 0 {
            let node = &self.nodes[index as usize];
            choices.push(usize::from(node.choice));
            index = node.parent;
        }
        choices.reverse();
        choices
    }

    /// The first state in which a machine is being deleted and from which no way leads to its end. What was not
    /// explored counts as an end, and so does what breaks another rule.
    fn stuck(&self) -> Option<u32> {
        let count = self.nodes.len();
        let mut starts = vec![0_u32; count + 1];
        for (_, to) in &self.edges {
            starts[*to as usize + 1] += 1;
        }
        for n in 0..count {
            starts[n + 1] += starts[n];
        }
        let mut places = starts.clone();
        let mut back = vec![0_u32; self.edges.len()];
        for (from, to) in &self.edges {
            let place = &mut places[*to as usize];
            back[*place as usize] = *from;
            *place += 1;
        }
        let mut first = None;
        for bit in [1_u8, 2] {
            let mut ends: Vec<bool> = self.nodes.iter().map(|node| node.going & bit == 0).collect();
            for index in self.open.iter().chain(&self.cut) {
                ends[*index as usize] = true;
            }
            let mut work: Vec<u32> = (0..count as u32).filter(|n| ends[*n as usize]).collect();
            while let Some(index) = work.pop() {
                let range = starts[index as usize] as usize..starts[index as usize + 1] as usize;
                for from in &back[range] {
                    if !ends[*from as usize] {
                        ends[*from as usize] = true;
                        work.push(*from);
                    }
                }
            }
            let stuck = ends.iter().position(|ends| !ends).map(|n| n as u32);
            first = [first, stuck].into_iter().flatten().min();
        }
        first
    }
}

fn hash(hasher: &RandomState, state: &State) -> u64 {
    let mut hasher = hasher.build_hasher();
    state.hash(&mut hasher);
    std::hash::Hasher::finish(&hasher)
}
