//! The questions that tests ask of the lab.

use std::sync::Arc;
use std::time::Duration;

use capt_kube::Manager;
use serde_json::Value;

use super::{LONG, Lab, MANAGER};

impl Lab {
    /// The manager that was started last.
    pub fn manager(&self) -> &Manager {
        &self.managers.last().unwrap().1
    }

    /// How often the manager has looked at a machine so far.
    pub fn looks_at_machines(&self) -> u64 {
        let text = capt_kube::metrics::text(&self.manager().registry());
        let of_machines = |line: &&str| {
            line.starts_with("controller_runtime_reconcile_total{") && line.contains("\"tinkerbellmachine\"")
        };
        let count = |line: &str| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap() as u64;
        text.lines().filter(of_machines).map(count).sum()
    }

    pub async fn until(&self, what: &str, limit: Duration, holds: impl Fn(&Self) -> bool) {
        let look = async || if holds(self) { Ok(()) } else { Err(String::new()) };
        let reached = capt_simulators::until(what, limit, Duration::from_millis(50), look).await;
        reached.unwrap_or_else(|error| panic!("{error}\n{}", self.describe()));
    }

    pub async fn until_provisioned(&self, name: &str) {
        self.until(&format!("{name} is provisioned"), LONG, |lab| lab.is_provisioned(name)).await;
    }

    /// The machine is gone, its server off, its Hardware clean and free, its address back in the pool.
    pub async fn until_released(&self, name: &str) {
        let hardware =
            self.tinkerbell_machine(name).and_then(|m| m["spec"]["hardwareName"].as_str().map(str::to_owned));
        self.until_gone(name).await;
        let claim = format!("{name}-0");
        assert!(self.get("ipam.cluster.x-k8s.io", "ipaddressclaims", "default", &claim).is_none(), "{claim} is left");
        let Some(hardware) = hardware.and_then(|h| self.get("tinkerbell.org", "hardware", "metal", &h)) else { return };
        let owner = &hardware["metadata"]["labels"]["v1alpha1.tinkerbell.org/ownerName"];
        if owner.is_null() {
            assert!(hardware["spec"]["userData"].is_null(), "bootstrap data is left: {hardware:#}");
            assert!(hardware["metadata"]["finalizers"].as_array().is_none_or(Vec::is_empty), "{hardware:#}");
            assert!(
                hardware["metadata"]["annotations"]["v1alpha1.tinkerbell.org/provisioned"].is_null(),
                "{hardware:#}"
            );
            assert!(hardware["spec"]["interfaces"][0]["dhcp"]["ip"].is_null(), "the address is left: {hardware:#}");
        } else {
            assert_ne!(owner, name, "released");
        }
    }

    pub async fn until_gone(&self, name: &str) {
        self.until(&format!("{name} is gone"), LONG, |lab| lab.tinkerbell_machine(name).is_none()).await;
    }

    pub async fn until_condition(&self, machine: &str, type_: &str, status: &str, reason: &str) {
        let wanted = (status.to_owned(), reason.to_owned());
        let what = format!("{machine}: {type_} is {status} with reason {reason}");
        self.until(&what, Duration::from_secs(120), |lab| lab.condition(machine, type_).as_ref() == Some(&wanted))
            .await;
    }

    pub fn condition(&self, machine: &str, type_: &str) -> Option<(String, String)> {
        let condition = self.find_condition(machine, type_)?;
        Some((condition["status"].as_str()?.to_owned(), condition["reason"].as_str()?.to_owned()))
    }

    pub fn message(&self, machine: &str, type_: &str) -> String {
        self.find_condition(machine, type_)
            .map(|c| c["message"].as_str().unwrap_or_default().to_owned())
            .unwrap_or_default()
    }

    fn find_condition(&self, machine: &str, type_: &str) -> Option<Value> {
        let machine = self.tinkerbell_machine(machine)?;
        machine["status"]["conditions"].as_array()?.iter().find(|c| c["type"] == type_).cloned()
    }

    pub fn with_condition(&self, type_: &str, status: &str, reason: &str) -> Vec<String> {
        let wanted = Some((status.to_owned(), reason.to_owned()));
        self.machines().into_iter().filter(|name| self.condition(name, type_) == wanted).collect()
    }

    fn machines(&self) -> Vec<String> {
        let all = self.server.list("infrastructure.cluster.x-k8s.io", "tinkerbellmachines");
        let mut names: Vec<String> = all.iter().map(|m| m["metadata"]["name"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    }

    pub fn is_provisioned(&self, name: &str) -> bool {
        self.tinkerbell_machine(name)
            .is_some_and(|m| m["status"]["ready"] == true && m["status"]["initialization"]["provisioned"] == true)
    }

    pub fn provisioned(&self) -> Vec<String> {
        self.machines().into_iter().filter(|name| self.is_provisioned(name)).collect()
    }

    fn tinkerbell_machine(&self, name: &str) -> Option<Value> {
        self.get("infrastructure.cluster.x-k8s.io", "tinkerbellmachines", "default", name)
    }

    pub fn machine_address(&self, name: &str) -> Option<String> {
        Some(self.tinkerbell_machine(name)?["status"]["addresses"][0]["address"].as_str()?.to_owned())
    }

    pub fn ip_of(&self, hardware: &str) -> Value {
        self.get("tinkerbell.org", "hardware", "metal", hardware)
            .map(|h| h["spec"]["interfaces"][0]["dhcp"]["ip"].clone())
            .unwrap_or_default()
    }

    pub fn address_of(&self, hardware: &str) -> Option<String> {
        self.ip_of(hardware)["address"].as_str().map(str::to_owned)
    }

    pub fn reserved_hardware(&self) -> usize {
        let all = self.tinkerbell.list("tinkerbell.org", "hardware");
        all.iter().filter(|h| h["metadata"]["labels"]["v1alpha1.tinkerbell.org/ownerName"].is_string()).count()
    }

    pub fn claims(&self) -> usize {
        self.server.list("ipam.cluster.x-k8s.io", "ipaddressclaims").len()
    }

    pub fn claim_uid(&self, name: &str) -> Option<String> {
        let claim = self.get("ipam.cluster.x-k8s.io", "ipaddressclaims", "default", name)?;
        Some(claim["metadata"]["uid"].as_str()?.to_owned())
    }

    pub fn ip_addresses(&self) -> usize {
        self.server.list("ipam.cluster.x-k8s.io", "ipaddresses").len()
    }

    /// Events with this reason.
    pub fn events(&self, reason: &str) -> usize {
        let all = [self.server.list("", "events"), self.server.list("events.k8s.io", "events")];
        all.iter()
            .map(|events| events.iter().filter(|event| event["reason"] == reason).count())
            .max()
            .unwrap_or_default()
    }

    /// Writes of this user that took effect, events included.
    pub fn writes(&self, user: &str) -> u64 {
        self.server.journal().count(Some(user), None)
    }

    pub fn writes_without_events(&self, user: &str) -> u64 {
        self.machine_writes(user) - self.server.journal().count(Some(user), Some("events"))
    }

    /// Writes to the TinkerbellCluster are not of a machine.
    fn cluster_writes(&self, user: &str) -> u64 {
        self.server.journal().count(Some(user), Some("tinkerbellclusters"))
    }

    /// Writes to machines and what belongs to them, events included.
    pub fn machine_writes(&self, user: &str) -> u64 {
        self.writes(user) - self.cluster_writes(user)
    }

    /// All events about machines, oldest first, as `reason: message`.
    pub fn machine_events(&self) -> Vec<String> {
        let mut events = self.server.list("", "events");
        events.retain(|event| event["involvedObject"]["kind"] == "TinkerbellMachine");
        let number =
            |event: &Arc<Value>| event["metadata"]["resourceVersion"].as_str().unwrap().parse::<u64>().unwrap();
        events.sort_by_key(number);
        events
            .iter()
            .map(|event| format!("{}: {}", event["reason"].as_str().unwrap(), event["message"].as_str().unwrap()))
            .collect()
    }

    pub fn hardware_writes(&self, user: &str) -> u64 {
        self.server.journal().count(Some(user), Some("hardware"))
    }

    pub fn write_list(&self, user: &str) -> Vec<String> {
        let records = self.server.journal().records();
        let of_user = records.iter().filter(|record| &*record.user == user);
        of_user.map(|r| format!("{} {}/{} {}", r.verb, r.resource, r.subresource, r.name)).collect()
    }

    /// Requests of this user other than watches and the lists that they begin with.
    pub fn requests(&self, user: &str) -> u64 {
        let all = self.server.journal().requests();
        all.iter().filter(|r| &*r.user == user && !["watch", "list"].contains(&r.verb)).map(|r| r.count).sum()
    }

    /// Our objects as `kubectl get -o wide` shows them: the heads, then the rows.
    pub async fn table(&self, plural: &str) -> Vec<Vec<String>> {
        let path = format!("/apis/infrastructure.cluster.x-k8s.io/v1beta1/namespaces/default/{plural}");
        let request = http::Request::get(path).header("accept", "application/json;as=Table;v=v1;g=meta.k8s.io");
        let table: Value =
            self.operator("infrastructure.cluster.x-k8s.io").request(request.body(Vec::new()).unwrap()).await.unwrap();
        let columns = table["columnDefinitions"].as_array().unwrap();
        let heads = columns.iter().map(|column| column["name"].as_str().unwrap().to_uppercase()).collect();
        let text = |cell: &Value| cell.as_str().map_or_else(|| cell.to_string(), str::to_owned);
        let rows = table["rows"].as_array().unwrap().iter();
        let rows = rows.map(|row| row["cells"].as_array().unwrap().iter().map(text).collect());
        std::iter::once(heads).chain(rows).collect()
    }

    /// Write requests of this user that had no effect: refused, or without a change.
    pub fn refused_writes(&self, user: &str) -> u64 {
        let requests = self.server.journal().requests();
        let reads = ["get", "list", "watch"];
        let asked: u64 =
            requests.iter().filter(|r| &*r.user == user && !reads.contains(&r.verb)).map(|r| r.count).sum();
        asked - self.writes(user)
    }

    /// What was done by hand breaks rules that no manager can keep then.
    pub fn expect_violations_by_hand(&mut self) {
        self.by_hand = true;
    }

    pub fn no_violations(&self) {
        assert!(!self.by_hand, "this test breaks rules by hand");
        let violations = self.observer.violations();
        assert!(violations.is_empty(), "{violations:#?}\n{}", self.describe());
    }

    fn describe(&self) -> String {
        let mut text = String::new();
        for name in self.machines() {
            let machine = self.tinkerbell_machine(&name).unwrap_or_default();
            text += &format!("{name}: spec {} status {}\n", machine["spec"], machine["status"]["conditions"]);
        }
        for line in self.write_list(MANAGER).iter().rev().take(30).rev() {
            text += &format!("  {line}\n");
        }
        text
    }
}
