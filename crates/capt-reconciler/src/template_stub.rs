#![allow(missing_docs)]
pub struct ImageLookup<'a> {
    pub format: &'a str,
    pub base_registry: &'a str,
    pub os_distro: &'a str,
    pub os_version: &'a str,
    pub kubernetes_version: &'a str,
}
pub struct DefaultTemplate<'a> {
    pub name: &'a str,
    pub image_url: &'a str,
    pub disk: &'a str,
    pub tinkerbell_ip: &'a str,
    pub metadata_port: u16,
}
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct TemplateError;
pub fn image_url(l: &ImageLookup<'_>) -> Result<String, TemplateError> {
    Ok(format!("{}{}{}{}{}", l.format, l.base_registry, l.os_distro, l.os_version, l.kubernetes_version))
}
pub fn default_template(t: &DefaultTemplate<'_>) -> Result<String, TemplateError> {
    Ok(format!("{}{}{}{}{}", t.name, t.image_url, t.disk, t.tinkerbell_ip, t.metadata_port))
}
pub fn iso_url(a: &str, b: &str) -> Result<String, TemplateError> {
    Ok(format!("{a}{b}"))
}
