//! How a kind and its parts are declared, so that none of them loses anything.

/// Declares the root type of a kind. It reads `apiVersion` and `kind`, refuses an object of another kind, keeps the
/// version that the object was read at, and implements [`kube::Resource`]. `$dt` is `()` for a kind with one version,
/// [`crate::cluster_api::Served`] otherwise.
macro_rules! kind {
    (
        $(#[$doc:meta])*
        $name:ident, $plural:literal, $group:expr, $dt:ty, |$d:ident| $version:expr,
        scope $scope:ident,
        { $( $(#[$fdoc:meta])* $field:ident : $ty:ty ),* $(,)? }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            /// Group and version that the object was read at, or is written at.
            pub api_version: String,
            /// Standard object metadata.
            pub metadata: k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta,
            $( $(#[$fdoc])* pub $field: Option<$ty>, )*
            /// Members that this type does not name.
            pub other: crate::Members,
        }

        impl Default for $name {
            fn default() -> Self {
                Self {
                    api_version: <Self as kube::Resource>::api_version(&<$dt as Default>::default()).into_owned(),
                    metadata: Default::default(),
                    $( $field: None, )*
                    other: Default::default(),
                }
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                #[derive(serde::Deserialize)]
                #[serde(rename_all = "camelCase")]
                struct Read {
                    #[serde(default)]
                    api_version: Option<String>,
                    #[serde(default)]
                    kind: Option<String>,
                    #[serde(default)]
                    metadata: k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta,
                    $( $field: Option<$ty>, )*
                    #[serde(flatten)]
                    other: crate::Members,
                }
                let read = Read::deserialize(deserializer)?;
                let dt = <$dt as Default>::default();
                let own = (<Self as kube::Resource>::group(&dt), <Self as kube::Resource>::kind(&dt));
                crate::kind::is_of(own, read.api_version.as_deref(), read.kind.as_deref())
                    .map_err(serde::de::Error::custom)?;
                let api_version = read.api_version;
                Ok(Self {
                    api_version: api_version
                        .unwrap_or_else(|| <Self as kube::Resource>::api_version(&dt).into_owned()),
                    metadata: read.metadata,
                    $( $field: read.$field, )*
                    other: read.other,
                })
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeMap as _;
                let dt = <$dt as Default>::default();
                let mut object = serializer.serialize_map(None)?;
                object.serialize_entry("apiVersion", &self.api_version)?;
                object.serialize_entry("kind", &<Self as kube::Resource>::kind(&dt))?;
                object.serialize_entry("metadata", &self.metadata)?;
                $(
                    // What is absent is left out: a null is not the same to every server.
                    if let Some(value) = &self.$field {
                        object.serialize_entry(stringify!($field), value)?;
                    }
                )*
                for (name, value) in &self.other {
                    object.serialize_entry(name, value)?;
                }
                object.end()
            }
        }

        impl kube::Resource for $name {
            type DynamicType = $dt;
            type Scope = kube::core::$scope;
            fn kind(_: &Self::DynamicType) -> std::borrow::Cow<'_, str> {
                stringify!($name).into()
            }
            fn group(_: &Self::DynamicType) -> std::borrow::Cow<'_, str> {
                $group.into()
            }
            fn version($d: &Self::DynamicType) -> std::borrow::Cow<'_, str> {
                $version.into()
            }
            fn plural(_: &Self::DynamicType) -> std::borrow::Cow<'_, str> {
                $plural.into()
            }
            fn meta(&self) -> &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
                &self.metadata
            }
            fn meta_mut(&mut self) -> &mut k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
                &mut self.metadata
            }
        }
    };
}
pub(crate) use kind;

/// Whether `apiVersion` and `kind`, as far as they were read, are those of a kind; else the words that say so.
pub(crate) fn is_of(
    (group, kind): (std::borrow::Cow<'_, str>, std::borrow::Cow<'_, str>),
    api_version: Option<&str>,
    found: Option<&str>,
) -> Result<(), String> {
    let is_group = api_version.is_none_or(|version| crate::meta::group_of(version) == group);
    if is_group && found.is_none_or(|found| found == kind) {
        return Ok(());
    }
    let (found, of) = (found.unwrap_or("an object"), api_version.unwrap_or("unknown version"));
    Err(format!("expected {kind} of {group}, found {found} of {of}"))
}

/// Declares an enum of text that keeps a value which it does not know, as a newer version of the API may bring one.
macro_rules! open_enum {
    (
        $(#[$doc:meta])*
        $name:ident { $( $(#[$vdoc:meta])* $variant:ident = $text:literal ),+ $(,)? }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $( $(#[$vdoc])* $variant, )+
            /// A value that this version of the crate does not know. The default is empty text.
            Other(String),
        }

        impl $name {
            /// The values that this version of the crate knows, as they stand in an object.
            pub const KNOWN: &[&str] = &[$( $text ),+];

            /// The value as it stands in an object.
            pub fn as_str(&self) -> &str {
                match self {
                    $( Self::$variant => $text, )+
                    Self::Other(text) => text,
                }
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::Other(String::new())
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                match text {
                    $( $text => Self::$variant, )+
                    other => Self::Other(other.to_owned()),
                }
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                match text.as_str() {
                    $( $text => Self::$variant, )+
                    _ => Self::Other(text),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Ok(Self::from(String::deserialize(deserializer)?))
            }
        }

        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({"type": "string", "enum": Self::KNOWN})
            }
        }
    };
}
pub(crate) use open_enum;

/// Constructors of a kind with one version, whose objects live in a namespace.
macro_rules! constructor {
    ($name:ident, $spec:ty) => {
        impl $name {
            /// An object of this name with this spec, not yet written anywhere.
            pub fn new(namespace: impl Into<String>, name: impl Into<String>, spec: $spec) -> Self {
                let metadata = crate::meta::named(namespace, name);
                Self { metadata, spec: Some(spec), ..Self::default() }
            }
        }
    };
}
pub(crate) use constructor;

/// Constructors of a kind of Cluster API, of which the server may serve one version or both.
macro_rules! served_constructor {
    ($name:ident, $spec:ty) => {
        impl $name {
            /// An object of this name with this spec, to be written at this version.
            pub fn new(
                version: crate::cluster_api::Served,
                namespace: impl Into<String>,
                name: impl Into<String>,
                spec: $spec,
            ) -> Self {
                Self {
                    api_version: <Self as kube::Resource>::api_version(&version).into_owned(),
                    metadata: crate::meta::named(namespace, name),
                    spec: Some(spec),
                    ..Self::default()
                }
            }
        }
    };
}
pub(crate) use served_constructor;
