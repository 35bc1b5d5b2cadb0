//! Values that kinds have in common.

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1 as kubernetes;
use serde::{Deserialize, Serialize};
use serde_with_macros::skip_serializing_none;

/// Members of an object that its type does not name, as they stand there. They are written back with the others.
pub type Members = BTreeMap<String, serde_json::Value>;

/// A date and time, as it stands in an object. API servers take more forms than one, so the text is kept.
///
/// ```
/// use capt_api::Time;
///
/// let time: Time = serde_json::from_str(r#""2026-01-01T01:00:00.50+01:00""#)?;
/// assert_eq!(time.timestamp(), Some("2026-01-01T00:00:00.5Z".parse()?));
/// assert_eq!(serde_json::to_string(&time)?, r#""2026-01-01T01:00:00.50+01:00""#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(pub String);

impl Time {
    /// The moment that it names; absent when the text names none that can be represented.
    pub fn timestamp(&self) -> Option<jiff::Timestamp> {
        self.0.parse().ok()
    }
}

/// Whole seconds of UTC, as Kubernetes writes it.
impl From<jiff::Timestamp> for Time {
    fn from(moment: jiff::Timestamp) -> Self {
        Self(moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A quantity of something: a plain number, or a number with a unit such as `64Gi`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Quantity {
    /// A plain number.
    Integer(i64),
    /// A number as text, with or without a unit.
    Text(String),
}

/// Selects objects by their labels (a `metav1.LabelSelector`); all requirements must hold.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LabelSelector {
    /// Labels and the values that they must have.
    pub match_labels: Option<BTreeMap<String, String>>,
    /// Requirements of other kinds.
    pub match_expressions: Option<Vec<LabelSelectorRequirement>>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// One requirement of a label selector.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LabelSelectorRequirement {
    /// Key of the label.
    pub key: String,
    /// `In`, `NotIn`, `Exists` or `DoesNotExist`.
    pub operator: String,
    /// Values of `In` and `NotIn`.
    pub values: Option<Vec<String>>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

impl LabelSelector {
    /// Selects what has these labels.
    pub fn labels<K: Into<String>, V: Into<String>>(labels: impl IntoIterator<Item = (K, V)>) -> Self {
        let labels = labels.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        Self { match_labels: Some(labels), ..Self::default() }
    }
}

impl From<kubernetes::LabelSelector> for LabelSelector {
    fn from(selector: kubernetes::LabelSelector) -> Self {
        let requirement = |one: kubernetes::LabelSelectorRequirement| LabelSelectorRequirement {
            key: one.key,
            operator: one.operator,
            values: one.values,
            other: Members::new(),
        };
        Self {
            match_labels: selector.match_labels,
            match_expressions: selector.match_expressions.map(|all| all.into_iter().map(requirement).collect()),
            other: Members::new(),
        }
    }
}

/// Without the members that Kubernetes does not name.
impl From<LabelSelector> for kubernetes::LabelSelector {
    fn from(selector: LabelSelector) -> Self {
        let requirement = |one: LabelSelectorRequirement| kubernetes::LabelSelectorRequirement {
            key: one.key,
            operator: one.operator,
            values: one.values,
        };
        Self {
            match_labels: selector.match_labels,
            match_expressions: selector.match_expressions.map(|all| all.into_iter().map(requirement).collect()),
        }
    }
}
