//! Text that cannot grow past a limit.

/// The limit of a [`Buffer`] was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooBig;

/// A string with an upper bound on its length, for everything that user input can make long.
#[derive(Debug)]
pub struct Buffer {
    text: String,
    max_bytes: usize,
}

impl Buffer {
    /// An empty buffer that holds at most `max_bytes` bytes.
    #[must_use]
    pub fn new(max_bytes: usize) -> Self {
        Self { text: String::new(), max_bytes }
    }

    /// Appends `text`.
    ///
    /// # Errors
    /// [`TooBig`] when it does not fit; nothing is appended then.
    pub fn push_str(&mut self, text: &str) -> Result<(), TooBig> {
        if text.len() > self.max_bytes - self.text.len() {
            return Err(TooBig);
        }
        self.text.push_str(text);
        Ok(())
    }

    /// Appends `text` `count` times.
    ///
    /// # Errors
    /// [`TooBig`] when that does not fit; nothing is appended then.
    pub fn push_repeated(&mut self, text: &str, count: usize) -> Result<(), TooBig> {
        if text.len().saturating_mul(count) > self.max_bytes - self.text.len() {
            return Err(TooBig);
        }
        if !text.is_empty() {
            self.text.extend(std::iter::repeat_n(text, count));
        }
        Ok(())
    }

    /// How many bytes are in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.text.len()
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The text.
    #[must_use]
    pub fn into_string(self) -> String {
        self.text
    }
}
