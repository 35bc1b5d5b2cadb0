//! The messages that are read, as the `generated.proto` files of `k8s.io/api` and `k8s.io/apimachinery` number their fields.

/// Number, JSON name and type of each field.
pub(super) type Message = &'static [(u64, &'static str, Field)];

/// What a field holds. Go writes fields that are no pointers even when they are empty, and leaves them out of JSON.
pub(super) enum Field {
    /// Left out when empty.
    Text,
    /// A pointer: there if it is sent.
    OptionalText,
    /// Left out when zero.
    Number,
    /// A pointer: there if it is sent.
    OptionalNumber,
    /// A pointer: there if it is sent.
    Flag,
    /// Raw JSON (`FieldsV1`).
    Json,
    /// Seconds.
    Time,
    /// Microseconds.
    MicroTime,
    Message(Message),
    Texts,
    Messages(Message),
    Map(Entry),
}

/// What the values of a map are.
pub(super) enum Entry {
    Text,
    /// Bytes, in base64 as JSON has them.
    Base64,
    Texts,
}

use Field::{Flag, Json, MicroTime, Number, OptionalNumber, OptionalText, Text, Texts, Time};

/// The message of a kind, if it is known.
pub(super) fn of(api_version: &str, kind: &str) -> Option<Message> {
    Some(match (api_version, kind) {
        ("v1", "Namespace") => NAMESPACE,
        ("v1", "ConfigMap") => CONFIG_MAP,
        ("v1", "Secret") => SECRET,
        ("v1", "ServiceAccount") => SERVICE_ACCOUNT,
        ("v1", "Event") => EVENT,
        ("coordination.k8s.io/v1", "Lease") => LEASE,
        ("authentication.k8s.io/v1", "SelfSubjectReview") => &[META],
        ("authentication.k8s.io/v1", "TokenReview") => TOKEN_REVIEW,
        ("authorization.k8s.io/v1", "SelfSubjectRulesReview") => RULES_REVIEW,
        ("authorization.k8s.io/v1", "SelfSubjectAccessReview" | "SubjectAccessReview" | "LocalSubjectAccessReview") => {
            ACCESS_REVIEW
        }
        // Options say the version of the group that they were sent to.
        (_, "DeleteOptions") => DELETE_OPTIONS,
        _ => return None,
    })
}

const META: (u64, &str, Field) = (1, "metadata", Field::Message(OBJECT_META));

const OBJECT_META: Message = &[
    (1, "name", Text),
    (2, "generateName", Text),
    (3, "namespace", Text),
    (4, "selfLink", Text),
    (5, "uid", Text),
    (6, "resourceVersion", Text),
    (7, "generation", Number),
    (8, "creationTimestamp", Time),
    (9, "deletionTimestamp", Time),
    (10, "deletionGracePeriodSeconds", OptionalNumber),
    (11, "labels", Field::Map(Entry::Text)),
    (12, "annotations", Field::Map(Entry::Text)),
    (13, "ownerReferences", Field::Messages(OWNER_REFERENCE)),
    (14, "finalizers", Texts),
    (17, "managedFields", Field::Messages(MANAGED_FIELDS)),
];

const OWNER_REFERENCE: Message = &[
    (1, "kind", Text),
    (3, "name", Text),
    (4, "uid", Text),
    (5, "apiVersion", Text),
    (6, "controller", Flag),
    (7, "blockOwnerDeletion", Flag),
];

const MANAGED_FIELDS: Message = &[
    (1, "manager", Text),
    (2, "operation", Text),
    (3, "apiVersion", Text),
    (4, "time", Time),
    (6, "fieldsType", Text),
    (7, "fieldsV1", Json),
    (8, "subresource", Text),
];

const NAMESPACE: Message = &[
    META,
    (2, "spec", Field::Message(&[(1, "finalizers", Texts)])),
    (3, "status", Field::Message(&[(1, "phase", Text), (2, "conditions", Field::Messages(NAMESPACE_CONDITION))])),
];

const NAMESPACE_CONDITION: Message = &[
    (1, "type", Text),
    (2, "status", Text),
    (4, "lastTransitionTime", Time),
    (5, "reason", Text),
    (6, "message", Text),
];

const CONFIG_MAP: Message =
    &[META, (2, "data", Field::Map(Entry::Text)), (3, "binaryData", Field::Map(Entry::Base64)), (4, "immutable", Flag)];

const SECRET: Message = &[
    META,
    (2, "data", Field::Map(Entry::Base64)),
    (3, "type", Text),
    (4, "stringData", Field::Map(Entry::Text)),
    (5, "immutable", Flag),
];

const SERVICE_ACCOUNT: Message = &[
    META,
    (2, "secrets", Field::Messages(OBJECT_REFERENCE)),
    (3, "imagePullSecrets", Field::Messages(&[(1, "name", Text)])),
    (4, "automountServiceAccountToken", Flag),
];

const OBJECT_REFERENCE: Message = &[
    (1, "kind", Text),
    (2, "namespace", Text),
    (3, "name", Text),
    (4, "uid", Text),
    (5, "apiVersion", Text),
    (6, "resourceVersion", Text),
    (7, "fieldPath", Text),
];

const EVENT: Message = &[
    META,
    (2, "involvedObject", Field::Message(OBJECT_REFERENCE)),
    (3, "reason", Text),
    (4, "message", Text),
    (5, "source", Field::Message(&[(1, "component", Text), (2, "host", Text)])),
    (6, "firstTimestamp", Time),
    (7, "lastTimestamp", Time),
    (8, "count", Number),
    (9, "type", Text),
    (10, "eventTime", MicroTime),
    (11, "series", Field::Message(&[(1, "count", Number), (2, "lastObservedTime", MicroTime)])),
    (12, "action", Text),
    (13, "related", Field::Message(OBJECT_REFERENCE)),
    (14, "reportingComponent", Text),
    (15, "reportingInstance", Text),
];

const LEASE: Message = &[META, (2, "spec", Field::Message(LEASE_SPEC))];

const LEASE_SPEC: Message = &[
    (1, "holderIdentity", OptionalText),
    (2, "leaseDurationSeconds", OptionalNumber),
    (3, "acquireTime", MicroTime),
    (4, "renewTime", MicroTime),
    (5, "leaseTransitions", OptionalNumber),
    (6, "strategy", OptionalText),
    (7, "preferredHolder", OptionalText),
];

const DELETE_OPTIONS: Message = &[
    (1, "gracePeriodSeconds", OptionalNumber),
    (2, "preconditions", Field::Message(&[(1, "uid", OptionalText), (2, "resourceVersion", OptionalText)])),
    (3, "orphanDependents", Flag),
    (4, "propagationPolicy", OptionalText),
    (5, "dryRun", Texts),
];

const TOKEN_REVIEW: Message = &[META, (2, "spec", Field::Message(&[(1, "token", Text), (2, "audiences", Texts)]))];

const RULES_REVIEW: Message = &[META, (2, "spec", Field::Message(&[(1, "namespace", Text)]))];

/// The spec of a SelfSubjectAccessReview is the first two fields of the others'.
const ACCESS_REVIEW: Message = &[META, (2, "spec", Field::Message(ACCESS_REVIEW_SPEC))];

const ACCESS_REVIEW_SPEC: Message = &[
    (1, "resourceAttributes", Field::Message(RESOURCE_ATTRIBUTES)),
    (2, "nonResourceAttributes", Field::Message(&[(1, "path", Text), (2, "verb", Text)])),
    (3, "user", Text),
    (4, "groups", Texts),
    (5, "extra", Field::Map(Entry::Texts)),
    (6, "uid", Text),
];

const RESOURCE_ATTRIBUTES: Message = &[
    (1, "namespace", Text),
    (2, "verb", Text),
    (3, "group", Text),
    (4, "version", Text),
    (5, "resource", Text),
    (6, "subresource", Text),
    (7, "name", Text),
];
