//! The forms an answer can take: whole objects, their metadata alone, or a table.

use crate::kind::Kind;
use crate::store::Object;
use crate::table;
use bytes::Bytes;
use jiff::Timestamp;

/// What the client accepts, from the `Accept` header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    Full,
    Partial,
    Table(Include),
}

/// What a table row carries of its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Include {
    Nothing,
    Metadata,
    Object,
}

impl View {
    /// The first form in `accept` that the server knows; `None` if it knows none.
    pub(crate) fn negotiate(accept: &str, include_object: &str) -> Option<Self> {
        if accept.trim().is_empty() {
            return Some(Self::Full);
        }
        for media in accept.split(',') {
            let mut parts = media.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default();
            let mut form = "";
            let mut version = "v1";
            for parameter in parts {
                match parameter.split_once('=') {
                    Some(("as", value)) => form = value,
                    Some(("v", value)) => version = value,
                    _ => {}
                }
            }
            if !matches!(kind, "application/json" | "*/*" | "application/*") || version != "v1" {
                continue;
            }
            match form {
                "" => return Some(Self::Full),
                "PartialObjectMetadata" | "PartialObjectMetadataList" => return Some(Self::Partial),
                "Table" => {
                    return Some(Self::Table(match include_object {
                        "None" => Include::Nothing,
                        "Object" => Include::Object,
                        _ => Include::Metadata,
                    }));
                }
                _ => {}
            }
        }
        None
    }

    /// One object; a table is `headed` when it says what its columns are.
    pub(crate) fn object(self, object: &Object, kind: &Kind, version: usize, headed: bool, now: Timestamp) -> Bytes {
        match self {
            Self::Full => object.json(kind, version),
            Self::Partial => partial(object),
            Self::Table(include) => {
                let rows = [object];
                table::table(
                    &mut rows.into_iter(),
                    &object.rv.to_string(),
                    "",
                    None,
                    kind,
                    version,
                    include,
                    headed,
                    now,
                )
            }
        }
    }
}

/// An object's metadata as a `PartialObjectMetadata`.
pub(crate) fn partial(object: &Object) -> Bytes {
    let mut out = br#"{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":"#.to_vec();
    out.extend_from_slice(&object.metadata_json());
    out.push(b'}');
    Bytes::from(out)
}
