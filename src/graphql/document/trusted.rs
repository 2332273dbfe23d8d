//! Trusted documents: what the clients of this server may ask, listed when they are built.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// What is done with documents that the manifest does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// There is no manifest.
    #[default]
    Off,
    /// They are run, too: for the time in which clients move to the manifest.
    Allow,
    /// They are refused.
    Require,
}

/// The documents of a manifest, by their ids.
#[derive(Clone, Debug, Default)]
pub struct TrustedDocuments {
    mode: Mode,
    texts: Arc<HashMap<String, String>>,
}

/// A manifest that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] std::io::Error),
    #[error("it is not a JSON object of ids and documents")]
    NotAManifest,
}

/// What the generators of clients write: ids and texts (`persisted-documents.json`), or the same under
/// `operations` with names and types beside (Apollo's persisted query manifest).
#[derive(Deserialize)]
#[serde(untagged)]
enum Manifest {
    Apollo { operations: Vec<ApolloOperation> },
    Plain(HashMap<String, String>),
}

#[derive(Deserialize)]
struct ApolloOperation {
    id: String,
    body: String,
}

impl TrustedDocuments {
    pub fn load(mode: Mode, file: &Path) -> Result<Self, ManifestError> {
        Self::parse(mode, &std::fs::read(file)?)
    }

    pub fn parse(mode: Mode, manifest: &[u8]) -> Result<Self, ManifestError> {
        let manifest = serde_json::from_slice(manifest).map_err(|_| ManifestError::NotAManifest)?;
        let texts = match manifest {
            Manifest::Plain(texts) => texts,
            Manifest::Apollo { operations } => {
                operations.into_iter().map(|operation| (operation.id, operation.body)).collect()
            }
        };
        Ok(Self { mode, texts: Arc::new(texts) })
    }

    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The document of this id. Some generators write `sha256:` before a hash.
    pub fn text(&self, id: &str) -> Option<&str> {
        let bare = id.strip_prefix("sha256:");
        self.texts.get(id).or_else(|| self.texts.get(bare?)).map(String::as_str)
    }

    /// Whether the manifest has a document of exactly this text.
    pub fn holds(&self, text: &str) -> bool {
        self.texts.values().any(|trusted| trusted == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_manifest_are_read() {
        for text in [
            r#"{ "abc": "{ __typename }" }"#,
            r#"{ "format": "apollo-persisted-query-manifest", "version": 1,
                 "operations": [{ "id": "abc", "name": "A", "type": "query", "body": "{ __typename }" }] }"#,
        ] {
            let trusted = TrustedDocuments::parse(Mode::Require, text.as_bytes()).unwrap();
            assert_eq!(trusted.text("abc"), Some("{ __typename }"), "{text}");
            assert_eq!(trusted.text("sha256:abc"), Some("{ __typename }"));
            assert_eq!(trusted.text("other"), None);
            assert!(trusted.holds("{ __typename }") && !trusted.holds("{ a }"));
        }
    }

    #[test]
    fn anything_else_is_refused_when_the_server_starts() {
        for text in ["", "[]", r#"{ "abc": 1 }"#, r#"{ "operations": [{}] }"#] {
            let refused = TrustedDocuments::parse(Mode::Allow, text.as_bytes());
            assert!(matches!(refused, Err(ManifestError::NotAManifest)), "{text}");
        }
        let missing = TrustedDocuments::load(Mode::Require, Path::new("/nowhere/manifest.json"));
        assert!(matches!(missing, Err(ManifestError::Unreadable(_))));
    }
}
