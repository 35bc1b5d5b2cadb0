//! New Machines, with their bootstrap Secret and their infrastructure object.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use serde_json::{Map, Value, json};

use crate::engine::{Error, Key, Object, answer, controller_reference, kinds};

use super::ClusterApi;
use super::names::{CLONED_FROM_GROUP_KIND, CLONED_FROM_NAME, CLUSTER_NAME, MACHINE_FINALIZER};

/// A Machine to be made.
pub(super) struct NewMachine<'a> {
    pub(super) name: String,
    pub(super) cluster: &'a Object,
    pub(super) owner: OwnerReference,
    pub(super) version: &'a str,
    /// Name of the TinkerbellMachineTemplate.
    pub(super) template: &'a str,
    pub(super) labels: Map<String, Value>,
    pub(super) annotations: Map<String, Value>,
}

/// The token in a Machine's bootstrap data. It stands for a secret: tests look for it where no secret may be.
pub fn bootstrap_token(machine_uid: &str) -> String {
    format!("bootstrap-token-of-{machine_uid}")
}

impl ClusterApi {
    pub(super) async fn create_machine(&self, new: NewMachine<'_>) -> Result<(), Error> {
        let v1beta2 = self.is_v1beta2();
        let namespace = new.cluster.namespace();
        let reference = |group: &str, version: &str, kind: &str| {
            if v1beta2 {
                json!({ "apiGroup": group, "kind": kind, "name": new.name })
            } else {
                json!({ "apiVersion": format!("{group}/{version}"), "kind": kind, "name": new.name, "namespace": namespace })
            }
        };
        let bootstrap = if self.options.bootstrap_delay.is_zero() {
            json!({ "dataSecretName": new.name })
        } else {
            json!({ "configRef": reference("bootstrap.cluster.x-k8s.io", "v1beta1", "KubeadmConfig") })
        };
        let mut labels = new.labels;
        labels.insert(CLUSTER_NAME.to_owned(), new.cluster.name().into());
        let mut annotations = new.annotations;
        annotations.insert(CLONED_FROM_NAME.to_owned(), new.template.into());
        let infra = kinds::TINKERBELL_MACHINE.group;
        let body = json!({
            "metadata": {
                "name": new.name, "namespace": namespace, "labels": labels, "annotations": annotations,
                "finalizers": [MACHINE_FINALIZER], "ownerReferences": [new.owner],
            },
            "spec": {
                "clusterName": new.cluster.name(),
                "version": new.version,
                "bootstrap": bootstrap,
                "infrastructureRef": reference(infra, "v1beta1", kinds::TINKERBELL_MACHINE.kind),
            },
        });
        self.machines.create(body).await?;
        Ok(())
    }

    /// Clones the infrastructure object of a Machine that we made; bootstrap data comes first, where it comes at once.
    pub(super) async fn equip(&self, machine: &Object) -> Result<(), Error> {
        if self.equipped.lock().contains(machine.uid()) {
            return Ok(());
        }
        let Some(template_name) = machine.annotation(CLONED_FROM_NAME) else {
            return Ok(());
        };
        let template = Key::new(machine.namespace(), template_name);
        let template = self
            .infra_templates
            .get(&template)
            .ok_or_else(|| Error::Other(format!("template {template} not found")))?;
        if !machine.spec_text("/bootstrap/dataSecretName").is_empty() {
            self.create_bootstrap(machine).await?;
        }
        let own =
            |pointer: &str| template.spec.pointer(pointer).and_then(Value::as_object).cloned().unwrap_or_default();
        let mut labels = own("/template/metadata/labels");
        let from_machine = machine.metadata.labels.iter().flatten();
        labels.extend(from_machine.map(|(key, value)| (key.clone(), value.as_str().into())));
        let mut annotations = own("/template/metadata/annotations");
        let group_kind =
            format!("{}.{}", kinds::TINKERBELL_MACHINE_TEMPLATE.kind, kinds::TINKERBELL_MACHINE_TEMPLATE.group);
        annotations.insert(CLONED_FROM_NAME.to_owned(), template_name.into());
        annotations.insert(CLONED_FROM_GROUP_KIND.to_owned(), group_kind.into());
        let body = json!({
            "metadata": {
                "name": machine.spec_text("/infrastructureRef/name"), "namespace": machine.namespace(),
                "labels": labels, "annotations": annotations,
                "ownerReferences": [controller_reference(machine, self.machines.resource()?)],
            },
            "spec": own("/template/spec"),
        });
        match self.infra_machines.create(body).await {
            Err(error) if !error.is_conflict() => return Err(error),
            _ => {}
        }
        self.equipped.lock().insert(machine.uid().to_owned());
        Ok(())
    }

    /// Makes the Secret with a Machine's bootstrap data, if it is not there.
    pub(super) async fn create_bootstrap(&self, machine: &Object) -> Result<(), Error> {
        let text = format!(
            "#cloud-config\nwrite_files:\n- path: /run/kubeadm/token\n  content: {}\nruncmd:\n- kubeadm join --provider-id PROVIDER_ID\n",
            bootstrap_token(machine.uid()),
        );
        let cluster = machine.spec_text("/clusterName").to_owned();
        let secret = Secret {
            metadata: ObjectMeta {
                name: Some(machine.name().to_owned()),
                namespace: Some(machine.namespace().to_owned()),
                labels: Some(BTreeMap::from([(CLUSTER_NAME.to_owned(), cluster)])),
                owner_references: Some(vec![controller_reference(machine, self.machines.resource()?)]),
                ..ObjectMeta::default()
            },
            type_: Some("cluster.x-k8s.io/secret".to_owned()),
            data: Some(BTreeMap::from([
                ("value".to_owned(), ByteString(text.into_bytes())),
                ("format".to_owned(), ByteString(b"cloud-config".to_vec())),
            ])),
            ..Secret::default()
        };
        match answer(self.secrets(machine).create(&PostParams::default(), &secret)).await {
            Err(error) if !error.is_conflict() => Err(error),
            _ => Ok(()),
        }
    }

    /// Deletes the bootstrap Secret of a Machine, if it is one of ours.
    pub(super) async fn delete_bootstrap(&self, machine: &Object) -> Result<(), Error> {
        if machine.spec_text("/bootstrap/dataSecretName") != machine.name() {
            return Ok(());
        }
        let secrets = self.secrets(machine);
        match answer(secrets.delete(machine.name(), &DeleteParams::default())).await {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }

    fn secrets(&self, machine: &Object) -> Api<Secret> {
        Api::namespaced(self.client.clone(), machine.namespace())
    }
}
