//! The URL of a machine's operating system image.

use go_text_template::{Functions, Limits, Struct, Template};

use super::TemplateError;

/// What a field of the image lookup is while neither machine nor cluster say anything.
///
/// The schema and the webhook of TinkerbellCluster set the same values; they hold here too, because an object can be
/// older than the webhook and a field can be set to an explicit empty text.
pub mod defaults {
    /// `imageLookupFormat`.
    pub const FORMAT: &str = "{{.BaseRegistry}}/{{.OSDistro}}-{{.OSVersion}}:{{.KubernetesVersion}}.gz";
    /// `imageLookupBaseRegistry`.
    pub const BASE_REGISTRY: &str = "ghcr.io/tinkerbell/cluster-api-provider-tinkerbell";
    /// `imageLookupOSDistro`.
    pub const OS_DISTRO: &str = "ubuntu";
    /// `imageLookupOSVersion`, for Ubuntu only.
    pub const UBUNTU_VERSION: &str = "20.04";
}

/// Where a machine's image is looked up: of each field the machine's value, else the cluster's, else empty.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ImageLookup<'a> {
    /// A Go template over `BaseRegistry`, `OSDistro`, `OSVersion` and `KubernetesVersion`.
    pub format: &'a str,
    /// Registry and path of the images.
    pub base_registry: &'a str,
    /// Name of the distribution; goes into the URL in lower case.
    pub os_distro: &'a str,
    /// Version of the distribution; goes into the URL without its dots.
    pub os_version: &'a str,
    /// The owning Machine's `spec.version`, which goes into the URL as it is.
    pub kubernetes_version: &'a str,
}

/// The image URL of a machine. Empty fields count as unset and take their [`defaults`].
///
/// # Errors
/// [`TemplateError::ImageLookupFormat`] when the format cannot be rendered, [`TemplateError::EmptyImageUrl`] when it
/// renders to nothing.
pub fn image_url(lookup: &ImageLookup<'_>) -> Result<String, TemplateError> {
    let distro = or_default(lookup.os_distro, defaults::OS_DISTRO).to_lowercase();
    let default_version = if distro == "ubuntu" { defaults::UBUNTU_VERSION } else { "" };
    let version = or_default(lookup.os_version, default_version).replace('.', "");
    let format = or_default(lookup.format, defaults::FORMAT);
    // Versions such as v1.31.5+k3s1 have a character that no image tag may have; images are published with a dash. The
    // user's own format gets the version as it is.
    let kubernetes_version = if format == defaults::FORMAT {
        lookup.kubernetes_version.replace('+', "-")
    } else {
        lookup.kubernetes_version.to_owned()
    };
    let data = Struct::new(
        "ImageLookup",
        [
            ("BaseRegistry", or_default(lookup.base_registry, defaults::BASE_REGISTRY).into()),
            ("OSDistro", distro.into()),
            ("OSVersion", version.into()),
            ("KubernetesVersion", kubernetes_version.into()),
        ],
    );
    let template = Template::parse("imageLookupFormat", format, &Functions::builtin())?;
    let url = template.render(&data.into(), Limits::URL)?;
    if url.is_empty() { Err(TemplateError::EmptyImageUrl) } else { Ok(url) }
}

fn or_default<'a>(value: &'a str, default: &'a str) -> &'a str {
    if value.is_empty() { default } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup() -> ImageLookup<'static> {
        ImageLookup { kubernetes_version: "v1.31.0", ..ImageLookup::default() }
    }

    #[test]
    fn a_lookup_without_any_field_still_names_an_image() {
        assert_eq!(
            image_url(&lookup()).unwrap(),
            "ghcr.io/tinkerbell/cluster-api-provider-tinkerbell/ubuntu-2004:v1.31.0.gz"
        );
    }

    #[test]
    fn build_metadata_of_a_version_does_not_make_an_impossible_image_tag() {
        let k3s = ImageLookup { kubernetes_version: "v1.31.5+k3s1", ..lookup() };
        assert!(image_url(&k3s).unwrap().ends_with("/ubuntu-2004:v1.31.5-k3s1.gz"));
        let own = ImageLookup { format: "http://files/{{.KubernetesVersion}}", ..k3s };
        assert_eq!(image_url(&own).unwrap(), "http://files/v1.31.5+k3s1", "a person's own format is taken at its word");
    }

    #[test]
    fn each_field_goes_into_the_url_in_its_own_way() {
        let all = ImageLookup {
            format: "{{.}}",
            base_registry: "reg.local:5000/X",
            os_distro: "Rocky",
            os_version: "9.4.1",
            kubernetes_version: "v1.31.0+K3s1",
        };
        assert_eq!(image_url(&all).unwrap(), "{reg.local:5000/X rocky 941 v1.31.0+K3s1}");
    }

    #[test]
    fn only_ubuntu_gets_a_default_version() {
        let url = |os_distro| image_url(&ImageLookup { os_distro, format: "{{.OSVersion}}!", ..lookup() }).unwrap();
        assert_eq!(url("UBUNTU"), "2004!");
        assert_eq!(url("flatcar"), "!");
    }

    #[test]
    fn a_broken_format_is_an_error_that_names_its_place() {
        let error = |format| image_url(&ImageLookup { format, ..lookup() }).unwrap_err();
        assert_eq!(
            error("x{{.Missing}}").to_string(),
            "imageLookupFormat: template: imageLookupFormat:1:4: can't evaluate field Missing in type ImageLookup"
        );
        assert!(error("{{ .OSDistro").to_string().ends_with("unclosed action"));
        assert!(error("{{quote .OSDistro}}").to_string().ends_with("function \"quote\" not defined"));
        assert_eq!(error("{{if false}}x{{end}}"), TemplateError::EmptyImageUrl);
    }
}
