//! What the manager is made of, as a software bill of materials: CycloneDX, JSON, by the library of the CycloneDX project.

use anyhow::{Context, ensure};
use cyclonedx_bom::external_models::normalized_string::NormalizedString;
use cyclonedx_bom::external_models::spdx::SpdxExpression;
use cyclonedx_bom::models::bom::{Bom, SpecVersion};
use cyclonedx_bom::models::component::{Classification, Component, Components};
use cyclonedx_bom::models::dependency::{Dependencies, Dependency};
use cyclonedx_bom::models::license::{LicenseChoice, Licenses};
use cyclonedx_bom::models::metadata::Metadata;
use cyclonedx_bom::prelude::{Purl, Validate};

use super::linked::{Linked, Package};

/// The bill of what is linked into the manager. The same input gives the same bytes: it holds neither a time nor a number of its own.
///
/// # Errors
/// When the bill is not as CycloneDX wants it.
pub fn render(linked: &Linked) -> anyhow::Result<String> {
    let (mut components, mut dependencies) = (Vec::new(), Vec::new());
    for (package, needed) in &linked.packages {
        if package.name != linked.program.name {
            components.push(component(package, Classification::Library)?);
        }
        let needed = needed.iter().map(reference).collect();
        dependencies.push(Dependency { dependency_ref: reference(package), dependencies: needed });
    }
    let bom = Bom {
        serial_number: None,
        metadata: Some(Metadata {
            component: Some(component(&linked.program, Classification::Application)?),
            ..Metadata::default()
        }),
        components: Some(Components(components)),
        dependencies: Some(Dependencies(dependencies)),
        ..Bom::default()
    };
    let validated = bom.validate_version(SpecVersion::V1_5);
    ensure!(validated.passed(), "the bill of materials is not valid: {validated:?}");
    let mut text = Vec::new();
    bom.output_as_json_v1_5(&mut text).context("the bill of materials")?;
    Ok(String::from_utf8(text)? + "\n")
}

fn reference(package: &Package) -> String {
    format!("pkg:cargo/{}@{}", package.name, package.version)
}

fn component(package: &Package, kind: Classification) -> anyhow::Result<Component> {
    let mut component = Component::new(kind, &package.name, &package.version, Some(reference(package)));
    component.purl = Some(Purl::new("cargo", &package.name, &package.version).context("purl")?);
    component.description = package.description.as_deref().map(|text| NormalizedString::new(text.trim()));
    if let Some(license) = &package.license {
        // Older packages write `MIT/Apache-2.0`.
        let expression = SpdxExpression::try_from(license.replace('/', " OR "));
        let expression = expression.with_context(|| format!("{}: licence {license}", package.name))?;
        component.licenses = Some(Licenses(vec![LicenseChoice::Expression(expression)]));
    }
    Ok(component)
}
