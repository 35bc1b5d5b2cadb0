//! A look at one BMC's Machine. They are neither listed nor watched: rufio changes each of them every few minutes, and we
//! want to know of one only when its server cannot be switched off.

use capt_api::contract::BMC_GROUP;
use capt_reconciler::observed::bmc::API_VERSION;
use capt_reconciler::ports::{BmcQuestion, BmcState, BmcView};
use jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::core::Request;
use kube::{Client, Error};
use serde::Deserialize;
use serde_json::json;

use crate::errors;
use crate::request::{FIELD_MANAGER, is_name, send};

/// What we read of a BMC's Machine.
#[derive(Deserialize)]
struct Machine {
    #[serde(default, deserialize_with = "capt_reconciler::observed::decode::lenient")]
    status: Status,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    power_state: String,
    #[serde(deserialize_with = "capt_reconciler::observed::decode::lenient_list")]
    conditions: Vec<Condition>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Condition {
    #[serde(rename = "type")]
    type_: String,
    status: String,
    message: String,
    #[serde(deserialize_with = "capt_reconciler::observed::decode::lenient")]
    last_update_time: Option<Timestamp>,
}

/// Reads the BMC's Machine, or sets its power state to `unknown`, so that rufio reads it anew. Where we may not do that,
/// what stands there is worth something all the same.
pub async fn ask(client: &Client, question: &BmcQuestion) -> BmcView {
    if !is_name(&question.key.name) || !is_name(&question.key.namespace) {
        return BmcView::Missing;
    }
    if question.anew {
        match forget_power_state(client, question).await {
            Ok(text) => return view(&text, true),
            Err(Error::Api(status)) if errors::is_missing(&status, &question.key.name) => return BmcView::Missing,
            Err(error) => tracing::warn!(
                bmc = %question.key,
                error = errors::describe(&error),
                "power state of the BMC Machine could not be reset for rufio to read it again"
            ),
        }
    }
    match get(client, question).await {
        Ok(text) => view(&text, false),
        Err(Error::Api(status)) if errors::is_missing(&status, &question.key.name) => BmcView::Missing,
        Err(error) => BmcView::Unreadable(errors::describe(&error)),
    }
}

async fn get(client: &Client, question: &BmcQuestion) -> Result<String, Error> {
    let request = Request::new(path(question)).get(&question.key.name, &kube::api::GetParams::default());
    send(client, request.map_err(Error::BuildRequest)?).await
}

async fn forget_power_state(client: &Client, question: &BmcQuestion) -> Result<String, Error> {
    let body = json!({"status": {"powerState": "unknown"}});
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    let request = Request::new(path(question));
    let request = request.patch_subresource("status", &question.key.name, &params, &Patch::Merge(&body));
    send(client, request.map_err(Error::BuildRequest)?).await
}

fn path(question: &BmcQuestion) -> String {
    format!("/apis/{BMC_GROUP}/{API_VERSION}/namespaces/{}/machines", question.key.namespace)
}

fn view(text: &str, anew: bool) -> BmcView {
    let Ok(machine) = serde_json::from_str::<Machine>(text) else {
        return BmcView::Unreadable("the server's answer is not a BMC Machine".to_owned());
    };
    let contactable = machine.status.conditions.into_iter().find(|condition| condition.type_ == "Contactable");
    let contactable = contactable.unwrap_or_default();
    BmcView::Found(BmcState {
        power_state: machine.status.power_state,
        contactable: match contactable.status.as_str() {
            "True" => Some(true),
            "False" => Some(false),
            _ => None,
        },
        contactable_since: contactable.last_update_time,
        message: contactable.message,
        anew,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rufio_says_of_a_bmc_is_read_and_what_is_odd_in_it_is_left_out() {
        let text = r#"{"metadata": {}, "status": {"powerState": "off", "conditions": [5, {"type": "Contactable", "status": "False",
            "message": "no route", "lastUpdateTime": "2026-01-01T00:00:05Z"}]}}"#;
        let BmcView::Found(state) = view(text, false) else { panic!("not found") };
        assert_eq!((state.power_state.as_str(), state.contactable), ("off", Some(false)));
        assert_eq!(state.contactable_since, Some("2026-01-01T00:00:05Z".parse().unwrap()));
        assert_eq!(state.message, "no route");
        assert_eq!(
            view(r#"{"metadata": {}}"#, false),
            BmcView::Found(BmcState::default()),
            "before rufio's first look"
        );
        assert!(matches!(view("nonsense", false), BmcView::Unreadable(_)));
    }
}
