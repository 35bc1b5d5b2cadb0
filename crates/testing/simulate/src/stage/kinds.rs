//! The kinds that every world knows.

use std::sync::OnceLock;

use capt_simulators::crds::crds;
use memory_apiserver::MemoryApiServer;
use serde_json::Value;

/// Every CustomResourceDefinition, read once for all worlds.
fn definitions() -> &'static Result<Vec<Value>, String> {
    static ALL: OnceLock<Result<Vec<Value>, String>> = OnceLock::new();
    ALL.get_or_init(|| {
        let ours = capt_api::crds().map_err(|error| error.to_string())?;
        let ours = ours.into_iter().map(|crd| serde_json::to_value(crd).map_err(|error| error.to_string()));
        let theirs = crds().map(|text| serde_saphyr::from_str::<Value>(text).map_err(|error| error.to_string()));
        ours.chain(theirs).collect()
    })
}

/// Makes a server know them all.
pub(super) fn install(server: &MemoryApiServer) -> Result<(), String> {
    for definition in definitions().as_ref().map_err(Clone::clone)? {
        server.apply_object(definition.clone()).map_err(|error| error.to_string())?;
    }
    Ok(())
}
