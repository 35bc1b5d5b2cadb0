//! The text CAPT writes for a machine: the default template, the image URL, the ISO URL. Pure functions on plain inputs.

mod default_template;
mod image_url;
mod iso_url;
mod partition;
mod yaml_scalar;

pub use default_template::{DEFAULT_IMAGES, DefaultTemplate, default_template};
pub use image_url::{ImageLookup, defaults, image_url};
pub use iso_url::iso_url;
pub use partition::first_partition;

/// Why no text can be made for a machine. Trying again helps only after its input has changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// The machine has no name.
    #[error("name can't be empty")]
    EmptyName,
    /// The image lookup format gives an empty text.
    #[error("imageURL can't be empty")]
    EmptyImageUrl,
    /// The image lookup format is no valid Go template, or asks for a field that does not exist.
    #[error("imageLookupFormat: {0}")]
    ImageLookupFormat(#[from] go_text_template::Error),
    /// An ISO boot mode without the URL of an ISO.
    #[error("iso boot mode requires an isoURL")]
    MissingIsoUrl,
    /// The URL of the ISO has no scheme or no host, or holds characters that no URL may hold.
    #[error("isoURL {0:?} is not an absolute URL")]
    InvalidIsoUrl(String),
    /// The generated template cannot be read back: a mistake of ours, caught before it reaches a server.
    #[error("the generated template is not valid YAML: {0}")]
    InvalidYaml(String),
}
