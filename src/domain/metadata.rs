//! Free key–value pairs, and how a patch changes them.

use super::rejection::Rejection;

/// The most pairs that one resource may have.
pub const KEYS_MAX: usize = 50;

/// Pairs, in the order in which their keys were first given.
pub type Metadata = Vec<(String, String)>;

/// A request's changes to metadata. A pair with an empty value removes its key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MetadataPatch {
    /// Whether all existing pairs are removed first.
    pub clear: bool,
    /// New values by key.
    pub pairs: Metadata,
}

impl MetadataPatch {
    /// Whether the patch changes nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        !self.clear && self.pairs.is_empty()
    }

    /// `metadata` with the patch applied.
    ///
    /// # Errors
    /// There would be more than [`KEYS_MAX`] pairs.
    pub fn applied_to(&self, metadata: &[(String, String)]) -> Result<Metadata, Rejection> {
        let mut patched: Metadata = if self.clear { Vec::new() } else { metadata.to_vec() };
        for (key, value) in &self.pairs {
            match patched.iter_mut().find(|(known, _)| known == key) {
                Some((_, old)) => old.clone_from(value),
                None => patched.push((key.clone(), value.clone())),
            }
        }
        patched.retain(|(_, value)| !value.is_empty());
        if patched.len() > KEYS_MAX {
            let message = format!("Metadata can have at most {KEYS_MAX} keys.");
            return Err(Rejection::invalid("metadata", "metadata_invalid", message));
        }
        Ok(patched)
    }
}

/// Bytes of the pairs and their text.
#[must_use]
pub fn text_bytes(metadata: &[(String, String)]) -> usize {
    let pair = std::mem::size_of::<(String, String)>();
    metadata.iter().map(|(key, value)| pair + key.len() + value.len()).sum()
}
