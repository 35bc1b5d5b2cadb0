//! Checks that several scenarios make.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{bail, ensure};
use capt_simulators::bmc::{Power, PowerStates};
use serde_json::Value;

use super::objects::{NAMESPACE, Objects, name, text, told, until};
use super::{CAPT_ACCOUNT, Stage};
use capt_simulators::kinds::{
    ADDRESS, CLAIM, EVENT, HARDWARE, IN_CLUSTER_POOL, TEMPLATE, TINKERBELL_MACHINE, WORKFLOW,
};

/// How long a pool may take to count.
const COUNTS: Duration = Duration::from_secs(60);
/// How long a machine may take to tell of something.
const TELLS: Duration = Duration::from_secs(90);

/// The free addresses of a pool, once the provider has counted them.
///
/// # Errors
/// When it does not count.
pub async fn pool_is_counted(stage: &Stage, pool: &str) -> anyhow::Result<u64> {
    until("the pool is counted", COUNTS, async || Ok(free(stage, pool).await)).await
}

/// Waits until a pool has that many free addresses.
///
/// # Errors
/// When it has another number for long.
pub async fn pool_has(stage: &Stage, pool: &str, wanted: u64) -> anyhow::Result<()> {
    until(&format!("pool {pool} has {wanted} free addresses"), COUNTS, async || {
        let free = free(stage, pool).await;
        Ok(if free == Ok(wanted) { Ok(()) } else { Err(format!("{free:?}")) })
    })
    .await
}

async fn free(stage: &Stage, pool: &str) -> Result<u64, String> {
    let pool = stage.objects.get(IN_CLUSTER_POOL, pool).await.map_err(|error| error.to_string())?;
    pool.pointer("/status/ipAddresses/free").and_then(Value::as_u64).ok_or_else(|| "no count".to_owned())
}

/// That many servers are free: they carry nothing of a machine and are off.
///
/// # Errors
/// When another number is free, or something was left on one.
pub async fn servers_are_clean(stage: &Stage, wanted: usize) -> anyhow::Result<()> {
    let mut clean = 0;
    for server in stage.objects.list(HARDWARE).await? {
        let labels = server.pointer("/metadata/labels").map(Value::to_string).unwrap_or_default();
        if labels.contains("ownerName") {
            continue;
        }
        clean += 1;
        let is = |pointer: &str| server.pointer(pointer).is_some_and(|value| !value.is_null());
        for left in ["/spec/interfaces/0/dhcp/ip", "/spec/userData", "/metadata/finalizers/0"] {
            ensure!(!is(left), "released Hardware {} still has {left}", name(&server));
        }
        let annotations = server.pointer("/metadata/annotations").map(Value::to_string).unwrap_or_default();
        ensure!(!annotations.contains("ipam-reservation"), "{} still has a reservation", name(&server));
        let power = stage.power.get(NAMESPACE, text(&server, "/spec/bmcRef/name"));
        ensure!(power == Power::Off, "the server of {} is on", name(&server));
    }
    ensure!(clean == wanted, "{clean} servers are free, not {wanted}");
    Ok(())
}

/// Waits until the machines are gone with all that was made for them, the pool has that many free addresses again, and
/// that many servers are clean.
///
/// # Errors
/// When something is left, or a kind is not gone within `patience`.
pub async fn all_is_given_back(
    stage: &Stage,
    (pool, addresses): (&str, u64),
    servers: usize,
    patience: Duration,
) -> anyhow::Result<()> {
    for kind in [TINKERBELL_MACHINE, CLAIM, ADDRESS, WORKFLOW, TEMPLATE] {
        stage.objects.wait_none(kind, patience).await?;
    }
    pool_has(stage, pool, addresses).await?;
    servers_are_clean(stage, servers).await
}

/// There is one of all that is made for a machine with an address from a pool, for each of so many machines.
///
/// # Errors
/// When there is another number of something.
pub async fn each_has_its_own(stage: &Stage, machines: usize) -> anyhow::Result<()> {
    for kind in [CLAIM, ADDRESS, TEMPLATE, WORKFLOW] {
        let there = stage.objects.count(kind).await?;
        ensure!(there == machines, "{there} {} for {machines} machines", kind.plural);
    }
    Ok(())
}

/// Waits until that many servers are held by no machine, and are off.
///
/// # Errors
/// When it takes long.
pub async fn servers_are_released(stage: &Stage, wanted: usize) -> anyhow::Result<()> {
    until(&format!("{wanted} servers are released"), COUNTS, async || {
        let servers = stage.objects.list(HARDWARE).await?;
        let is_held = |server: &&Value| {
            server.pointer("/metadata/labels").map(Value::to_string).unwrap_or_default().contains("ownerName")
        };
        let is_on = |server: &&Value| stage.power.get(NAMESPACE, text(server, "/spec/bmcRef/name")) == Power::On;
        let (held, on) = (servers.iter().filter(is_held).count(), servers.iter().filter(is_on).count());
        let released = servers.len() - held;
        Ok(if released == wanted && on == held { Ok(()) } else { Err(format!("{held} are held, {on} are on")) })
    })
    .await
}

/// How often servers were switched on or off since it was made.
#[derive(Debug)]
pub struct Switches(Arc<AtomicUsize>);

impl Switches {
    /// Counts from now on.
    pub fn count(power: &PowerStates) -> Self {
        let count = Arc::new(AtomicUsize::new(0));
        let counted = count.clone();
        power.on_change(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
        });
        Self(count)
    }

    /// Nobody touched the power of a server.
    ///
    /// # Errors
    /// When somebody did.
    pub fn must_be_none(&self) -> anyhow::Result<()> {
        let switched = self.0.load(Ordering::Relaxed);
        ensure!(switched == 0, "servers were switched {switched} times");
        Ok(())
    }
}

/// Every TinkerbellMachine says these things of itself: a condition and the beginning of `status reason message`.
///
/// # Errors
/// When one of them says something else.
pub async fn machines_say(stage: &Stage, wanted: &[(&str, &str)]) -> anyhow::Result<()> {
    for machine in stage.objects.list(TINKERBELL_MACHINE).await? {
        for (kind, wanted) in wanted {
            let told = told(&machine, kind);
            ensure!(told.starts_with(wanted), "{}: condition {kind} is `{told}`, not `{wanted}`", name(&machine));
        }
    }
    Ok(())
}

/// No event warns of a TinkerbellMachine but for one of these reasons.
///
/// # Errors
/// When one does, with its text.
pub async fn no_warnings_but(stage: &Stage, expected: &[&str]) -> anyhow::Result<()> {
    for event in events_of_machines(stage).await? {
        let reason = text(&event, "/reason");
        if text(&event, "/type") == "Warning" && !expected.contains(&reason) {
            bail!("a warning about {}: {reason}: {}", text(&event, "/involvedObject/name"), text(&event, "/message"));
        }
    }
    Ok(())
}

async fn events_of_machines(stage: &Stage) -> anyhow::Result<Vec<Value>> {
    let mut events = stage.objects.list(EVENT).await?;
    events.retain(|event| text(event, "/involvedObject/kind") == TINKERBELL_MACHINE.kind);
    Ok(events)
}

/// No event warns of a TinkerbellMachine, and each of those that are there is spoken of, if `each`.
///
/// # Errors
/// When one does, with its text.
pub async fn no_warnings(stage: &Stage, each: bool) -> anyhow::Result<()> {
    no_warnings_but(stage, &[]).await?;
    let about = events_of_machines(stage).await?;
    for machine in stage.objects.list(TINKERBELL_MACHINE).await? {
        let spoken = about.iter().any(|event| text(event, "/involvedObject/name") == name(&machine));
        ensure!(spoken || !each, "no event tells of {}", name(&machine));
    }
    Ok(())
}

/// Waits until a machine says in this condition that it waits for this reason, and names what it waits for; returns its
/// name.
///
/// # Errors
/// When no machine does so for long, or when it is called ready all the same.
pub async fn waits_for(stage: &Stage, condition: &str, reason: &str, names: &str) -> anyhow::Result<String> {
    let waiter = until(&format!("a machine waits for {reason}"), TELLS, async || {
        let machines = stage.objects.list(TINKERBELL_MACHINE).await?;
        let wanted = format!("False {reason} ");
        let waiting = machines.iter().find(|machine| told(machine, condition).starts_with(&wanted));
        Ok(waiting.cloned().ok_or_else(|| summary(&machines)))
    })
    .await?;
    let message = told(&waiter, condition);
    ensure!(message.contains(names), "the condition does not name {names}: {message}");
    ensure!(told(&waiter, "Ready").starts_with("False"), "Ready is {}", told(&waiter, "Ready"));
    Ok(name(&waiter).to_owned())
}

/// Waits for an event. A wait that is nobody's fault has none, for everybody waits a moment for an address.
///
/// # Errors
/// When none comes.
pub async fn is_told(stage: &Stage, machine: &str, reason: &str) -> anyhow::Result<()> {
    let is_it = |event: &Value| text(event, "/involvedObject/name") == machine && text(event, "/reason") == reason;
    until(&format!("an event tells {machine} of {reason}"), TELLS, async || {
        let events = stage.objects.list(EVENT).await?;
        Ok(if events.iter().any(is_it) { Ok(()) } else { Err(format!("{} other events", events.len())) })
    })
    .await
}

/// Waits until a machine says in this condition that it has this problem, in these words, and a warning says so as well.
///
/// # Errors
/// When it does not within `patience`.
pub async fn problem_is_told(
    objects: &Objects,
    machine: &str,
    condition: &str,
    words: &[&str],
    patience: Duration,
) -> anyhow::Result<()> {
    let has_all = |text: &str| words.iter().all(|word| text.contains(word));
    until(&format!("{machine} tells of {words:?}"), patience, async || {
        let told = told(&objects.get(TINKERBELL_MACHINE, machine).await?, condition);
        Ok(if has_all(&told) { Ok(()) } else { Err(told) })
    })
    .await?;
    let is_it = |event: &Value| {
        let about = format!("{} {}", text(event, "/reason"), text(event, "/message"));
        text(event, "/involvedObject/name") == machine && text(event, "/type") == "Warning" && has_all(&about)
    };
    until(&format!("a warning tells {machine} of {words:?}"), COUNTS, async || {
        let events = objects.list(EVENT).await?;
        let about: Vec<&str> = events.iter().map(|event| text(event, "/message")).collect();
        Ok(if events.iter().any(is_it) { Ok(()) } else { Err(about.join("; ")) })
    })
    .await
}

/// Watches capt-manager for a while in which it has nothing to do.
///
/// # Errors
/// When it writes something all the same.
pub async fn nothing_is_written(stage: &Stage, within: Duration) -> anyhow::Result<()> {
    let mark = stage.plane.audit().mark()?;
    tokio::time::sleep(within).await;
    for asked in stage.plane.audit().since(mark)? {
        let is_ours = asked.user == CAPT_ACCOUNT && asked.is_write();
        ensure!(!is_ours, "with nothing to do: {} {} {}", asked.verb, asked.full_resource(), asked.name);
    }
    Ok(())
}

/// Names of machines, and what each says of itself.
pub fn summary(machines: &[Value]) -> String {
    let line = |machine: &Value| format!("{}: {}", name(machine), told(machine, "Ready"));
    machines.iter().map(line).collect::<Vec<_>>().join("; ")
}
