//! Measures what a Hardware costs in memory: `cargo run --release -p capt-kube --example memory`.
//!
//! Resident memory of the process before and after 50,000 objects, indexes included. Fails above the limit.

use std::sync::Arc;

use capt_kube::cache::Cache;
use capt_kube::decode::Guarded;
use capt_kube::watch::Sink;
use capt_reconciler::observed::tinkerbell::Hardware;
use kube::runtime::watcher::Event;

/// The manager's.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// What we allow a Hardware to cost.
const LIMIT: u64 = 2048;
const OBJECTS: u64 = 50_000;

fn main() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let _entered = runtime.enter();
    let cache = Arc::new(Cache::new());
    let before = resident()?;
    let began = std::time::Instant::now();
    let mut size = 0;
    for number in 0..OBJECTS {
        let text = hardware(number);
        size = text.len();
        let object: Guarded<Hardware> = serde_json::from_str(&text)?;
        Sink::<Hardware>::event(&*cache, Event::Apply(object));
    }
    let took = began.elapsed();
    let bytes = (resident()? - before) / OBJECTS;
    println!("{bytes} bytes per Hardware of {size} bytes of JSON, indexes included");
    println!("{:.1} us each, decoding and indexing", took.as_secs_f64() * 1e6 / 50_000.0);
    anyhow::ensure!(bytes <= LIMIT, "more than the {LIMIT} bytes that a Hardware may cost");
    Ok(())
}

fn resident() -> anyhow::Result<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    let pages = statm.split_whitespace().nth(1).unwrap_or("0");
    Ok(pages.parse::<u64>()? * 4096)
}

/// A Hardware as an operator has it: two managers, last-applied, an address, a BMC, bootstrap data.
fn hardware(n: u64) -> String {
    // 250 servers in each /24.
    let (a, b, c) = (n / 62_500, n / 250 % 250, n % 250 + 2);
    let fields = r#"{"f:metadata":{"f:labels":{".":{},"f:rack":{},"f:type":{}}},"f:spec":{".":{},"f:disks":{},"f:interfaces":{},"f:metadata":{"f:instance":{"f:id":{},"f:hostname":{}}}}}"#;
    let spec = format!(
        r##"{{"bmcRef":{{"apiGroup":"bmc.tinkerbell.org","kind":"Machine","name":"bmc-{n}"}},"disks":[{{"device":"/dev/sda"}}],"interfaces":[{{"dhcp":{{"arch":"x86_64","hostname":"node-{n}","ip":{{"address":"10.{a}.{b}.{c}","gateway":"10.{a}.{b}.1","netmask":"255.255.255.0","family":4}},"lease_time":86400,"mac":"02:00:00:{a:02x}:{b:02x}:{c:02x}","name_servers":["1.1.1.1","8.8.8.8"],"uefi":true}},"netboot":{{"allowPXE":true,"allowWorkflow":true}}}}],"metadata":{{"facility":{{"facility_code":"onprem"}},"instance":{{"hostname":"node-{n}","id":"02:00:00:{a:02x}:{b:02x}:{c:02x}","operating_system":{{"distro":"ubuntu","version":"22.04"}}}}}},"userData":"#cloud-config\n{}"}}"##,
        "x".repeat(1024)
    );
    format!(
        r#"{{"apiVersion":"tinkerbell.org/v1alpha1","kind":"Hardware","metadata":{{"name":"node-{n}","namespace":"tink-system","uid":"11111111-2222-3333-4444-{n:012}","resourceVersion":"{}","generation":3,"creationTimestamp":"2026-01-01T00:00:00Z","labels":{{"rack":"r{}","type":"worker","manufacturer":"acme"}},"annotations":{{"kubectl.kubernetes.io/last-applied-configuration":"{}"}},"managedFields":[{{"manager":"kubectl","operation":"Apply","apiVersion":"tinkerbell.org/v1alpha1","time":"2026-01-01T00:00:00Z","fieldsType":"FieldsV1","fieldsV1":{fields}}},{{"manager":"tink","operation":"Update","apiVersion":"tinkerbell.org/v1alpha1","time":"2026-01-01T00:00:00Z","fieldsType":"FieldsV1","fieldsV1":{fields}}}]}},"spec":{spec}}}"#,
        n + 1,
        n % 40,
        "y".repeat(600)
    )
}
