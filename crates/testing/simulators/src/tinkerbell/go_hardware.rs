//! Hardware as templates see it under `.Hardware`: Go structs with Go's field names, absent values as Go's zero values.

use go_text_template::{Struct, Value};
use serde_json::Value as Json;

/// A Go struct type: its name, and its fields with their JSON names.
struct Schema {
    name: &'static str,
    fields: &'static [(&'static str, &'static str, Type)],
}

#[derive(Clone, Copy)]
enum Type {
    Text,
    Int,
    Bool,
    Texts,
    /// A pointer: nil when absent.
    BoolPointer,
    Value(&'static Schema),
    Pointer(&'static Schema),
    List(&'static Schema),
}

use Type::{Bool, BoolPointer, Int, List, Pointer, Text, Texts};

static IP: Schema = Schema {
    name: "v1alpha1.IP",
    fields: &[
        ("Address", "address", Text),
        ("Netmask", "netmask", Text),
        ("Gateway", "gateway", Text),
        ("Family", "family", Int),
    ],
};

static ROUTE: Schema = Schema {
    name: "v1alpha1.ClasslessStaticRoute",
    fields: &[("DestinationDescriptor", "destination_descriptor", Text), ("Router", "router", Text)],
};

static DHCP: Schema = Schema {
    name: "v1alpha1.DHCP",
    fields: &[
        ("MAC", "mac", Text),
        ("Hostname", "hostname", Text),
        ("DomainName", "domain_name", Text),
        ("LeaseTime", "lease_time", Int),
        ("NameServers", "name_servers", Texts),
        ("TimeServers", "time_servers", Texts),
        ("Arch", "arch", Text),
        ("UEFI", "uefi", Bool),
        ("IfaceName", "iface_name", Text),
        ("IP", "ip", Pointer(&IP)),
        ("VLANID", "vlan_id", Text),
        ("ClasslessStaticRoutes", "classless_static_routes", List(&ROUTE)),
        ("TFTPServerName", "tftp_server_name", Text),
        ("BootFileName", "boot_file_name", Text),
    ],
};

static IPXE: Schema = Schema {
    name: "v1alpha1.IPXE",
    fields: &[("URL", "url", Text), ("Contents", "contents", Text), ("Binary", "binary", Text)],
};

static OSIE: Schema = Schema {
    name: "v1alpha1.OSIE",
    fields: &[
        ("BaseURL", "baseURL", Text),
        ("Kernel", "kernel", Text),
        ("Initrd", "initrd", Text),
        ("KernelParams", "kernelParams", Texts),
    ],
};

static NETBOOT: Schema = Schema {
    name: "v1alpha1.Netboot",
    fields: &[
        ("AllowPXE", "allowPXE", BoolPointer),
        ("AllowWorkflow", "allowWorkflow", BoolPointer),
        ("IPXE", "ipxe", Pointer(&IPXE)),
        ("OSIE", "osie", Pointer(&OSIE)),
    ],
};

static ISOBOOT: Schema = Schema { name: "v1alpha1.Isoboot", fields: &[("SourceISO", "sourceISO", Text)] };

static INTERFACE: Schema = Schema {
    name: "v1alpha1.Interface",
    fields: &[
        ("Netboot", "netboot", Pointer(&NETBOOT)),
        ("Isoboot", "isoboot", Pointer(&ISOBOOT)),
        ("DHCP", "dhcp", Pointer(&DHCP)),
        ("DisableDHCP", "disableDhcp", Bool),
    ],
};

static MANUFACTURER: Schema =
    Schema { name: "v1alpha1.MetadataManufacturer", fields: &[("ID", "id", Text), ("Slug", "slug", Text)] };

static OPERATING_SYSTEM: Schema = Schema {
    name: "v1alpha1.MetadataInstanceOperatingSystem",
    fields: &[
        ("Slug", "slug", Text),
        ("Distro", "distro", Text),
        ("Version", "version", Text),
        ("ImageTag", "image_tag", Text),
        ("OsSlug", "os_slug", Text),
    ],
};

static INSTANCE_IP: Schema = Schema {
    name: "v1alpha1.MetadataInstanceIP",
    fields: &[
        ("Address", "address", Text),
        ("Netmask", "netmask", Text),
        ("Gateway", "gateway", Text),
        ("Family", "family", Int),
        ("Public", "public", Bool),
        ("Management", "management", Bool),
    ],
};

static STORAGE_DISK: Schema = Schema {
    name: "v1alpha1.MetadataInstanceStorageDisk",
    fields: &[("Device", "device", Text), ("WipeTable", "wipe_table", Bool)],
};

static STORAGE: Schema =
    Schema { name: "v1alpha1.MetadataInstanceStorage", fields: &[("Disks", "disks", List(&STORAGE_DISK))] };

static INSTANCE: Schema = Schema {
    name: "v1alpha1.MetadataInstance",
    fields: &[
        ("ID", "id", Text),
        ("State", "state", Text),
        ("Hostname", "hostname", Text),
        ("AllowPxe", "allow_pxe", Bool),
        ("Rescue", "rescue", Bool),
        ("OperatingSystem", "operating_system", Pointer(&OPERATING_SYSTEM)),
        ("AlwaysPxe", "always_pxe", Bool),
        ("IpxeScriptURL", "ipxe_script_url", Text),
        ("Ips", "ips", List(&INSTANCE_IP)),
        ("Userdata", "userdata", Text),
        ("CryptedRootPassword", "crypted_root_password", Text),
        ("Tags", "tags", Texts),
        ("Storage", "storage", Pointer(&STORAGE)),
        ("SSHKeys", "ssh_keys", Texts),
        ("NetworkReady", "network_ready", Bool),
    ],
};

static FACILITY: Schema = Schema {
    name: "v1alpha1.MetadataFacility",
    fields: &[
        ("PlanSlug", "plan_slug", Text),
        ("PlanVersionSlug", "plan_version_slug", Text),
        ("FacilityCode", "facility_code", Text),
    ],
};

static METADATA: Schema = Schema {
    name: "v1alpha1.HardwareMetadata",
    fields: &[
        ("State", "state", Text),
        ("BondingMode", "bonding_mode", Int),
        ("Manufacturer", "manufacturer", Pointer(&MANUFACTURER)),
        ("Instance", "instance", Pointer(&INSTANCE)),
        ("Facility", "facility", Pointer(&FACILITY)),
    ],
};

static DISK: Schema = Schema { name: "v1alpha1.Disk", fields: &[("Device", "device", Text)] };

/// What workflow templates get; disks are added by hand, as plain names.
static TEMPLATE_DATA: Schema = Schema {
    name: "workflow.templateHardwareData",
    fields: &[
        ("Interfaces", "interfaces", List(&INTERFACE)),
        ("UserData", "userData", Text),
        ("VendorData", "vendorData", Text),
        ("Metadata", "metadata", Type::Value(&METADATA)),
    ],
};

/// What the media URL of a custom boot action gets.
static HARDWARE_SPEC: Schema = Schema {
    name: "v1alpha1.HardwareSpec",
    fields: &[
        ("AgentID", "agentID", Text),
        ("Interfaces", "interfaces", List(&INTERFACE)),
        ("Disks", "disks", List(&DISK)),
        ("UserData", "userData", Text),
        ("VendorData", "vendorData", Text),
        ("Metadata", "metadata", Pointer(&METADATA)),
    ],
};

/// `.Hardware` of a workflow template.
pub(super) fn template_data(spec: &Json) -> Value {
    let disks = spec.get("disks").and_then(Json::as_array).into_iter().flatten();
    let disks: Vec<Value> = disks.map(|disk| text(disk.get("device"))).collect();
    let mut fields = fields(&TEMPLATE_DATA, spec);
    fields.push(("Disks", disks.into()));
    Struct::new(TEMPLATE_DATA.name, fields).into()
}

/// `.Hardware` of a media URL.
pub(super) fn hardware_spec(spec: &Json) -> Value {
    to_struct(&HARDWARE_SPEC, spec)
}

fn to_struct(schema: &'static Schema, json: &Json) -> Value {
    Struct::new(schema.name, fields(schema, json)).into()
}

fn fields(schema: &'static Schema, json: &Json) -> Vec<(&'static str, Value)> {
    let field = |(go, name, kind): &(&'static str, &'static str, Type)| (*go, to_value(*kind, json.get(*name)));
    schema.fields.iter().map(field).collect()
}

fn to_value(kind: Type, json: Option<&Json>) -> Value {
    match kind {
        Text => text(json),
        Int => json.and_then(Json::as_i64).unwrap_or_default().into(),
        Bool => json.and_then(Json::as_bool).unwrap_or_default().into(),
        BoolPointer => json.and_then(Json::as_bool).map_or(Value::Nil, Value::from),
        Texts => list(json).map(|item| text(Some(item))).collect::<Vec<_>>().into(),
        Type::Value(schema) => to_struct(schema, json.unwrap_or(&Json::Null)),
        Pointer(schema) => match json {
            None | Some(Json::Null) => Value::Nil,
            Some(json) => to_struct(schema, json),
        },
        List(schema) => list(json).map(|item| to_struct(schema, item)).collect::<Vec<_>>().into(),
    }
}

fn list(json: Option<&Json>) -> impl Iterator<Item = &Json> {
    json.and_then(Json::as_array).into_iter().flatten()
}

fn text(json: Option<&Json>) -> Value {
    json.and_then(Json::as_str).unwrap_or_default().into()
}
