//! Documents before they run: a linear look at the text, then a cache of what parses.
//!
//! The engine's parser recurses without bound into nested literals: a few kilobytes of brackets would end
//! the process. So the text is scanned first, in one pass and without recursion.

use std::sync::Arc;

use async_graphql::parser::types::ExecutableDocument;
use moka::sync::Cache;
use sha2::{Digest, Sha256};

use super::error::Code;

/// Bytes of a document.
const MAX_BYTES: usize = 20_000;
/// Tokens of a document.
const MAX_TOKENS: usize = 4_000;
/// Nesting of brackets of any kind.
const MAX_NESTING: usize = 32;

/// Why a document is not run.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal {
    pub code: Code,
    pub message: String,
}

/// Parsed documents by the hash of their text.
#[derive(Clone)]
pub struct Documents(Cache<[u8; 32], Arc<ExecutableDocument>>);

impl Default for Documents {
    fn default() -> Self {
        Self(Cache::new(1_000))
    }
}

impl Documents {
    pub fn parse(&self, text: &str) -> Result<Arc<ExecutableDocument>, Refusal> {
        let key: [u8; 32] = Sha256::digest(text).into();
        if let Some(document) = self.0.get(&key) {
            return Ok(document);
        }
        inspect(text)?;
        let document = async_graphql::parser::parse_query(text).map_err(|error| Refusal {
            code: Code::GraphqlParseFailed,
            message: match error {
                async_graphql::parser::Error::Syntax { start, .. } => {
                    format!("Syntax error at line {}, column {}.", start.line, start.column)
                }
                _ => "The document cannot be parsed.".into(),
            },
        })?;
        let document = Arc::new(document);
        self.0.insert(key, document.clone());
        Ok(document)
    }
}

/// Refuses a text that is too long, has too many tokens or nests too deep.
fn inspect(text: &str) -> Result<(), Refusal> {
    let refuse = |what: &str, most: usize| {
        Err(Refusal {
            code: Code::QueryTooComplex,
            message: format!("The document has {what}: at most {most}."),
        })
    };
    if text.len() > MAX_BYTES {
        return refuse("too many bytes", MAX_BYTES);
    }
    let (mut tokens, mut nesting) = (0usize, 0usize);
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'#' => at += bytes[at..].iter().take_while(|byte| !matches!(byte, b'\n' | b'\r')).count(),
            b'"' => {
                let Some(end) = after_string(bytes, at) else {
                    // The parser would fall back to an empty string and read on in what looks quoted here.
                    return Err(Refusal {
                        code: Code::GraphqlParseFailed,
                        message: "A string has no end.".into(),
                    });
                };
                at = end;
                tokens += 1;
            }
            b'{' | b'[' | b'(' => {
                nesting += 1;
                tokens += 1;
                at += 1;
            }
            b'}' | b']' | b')' => {
                nesting = nesting.saturating_sub(1);
                tokens += 1;
                at += 1;
            }
            b' ' | b'\t' | b'\n' | b'\r' | b',' => at += 1,
            byte if byte.is_ascii_alphanumeric() || byte == b'_' => {
                at += bytes[at..]
                    .iter()
                    .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'))
                    .count();
                tokens += 1;
            }
            _ => {
                tokens += 1;
                at += 1;
            }
        }
        if nesting > MAX_NESTING {
            return refuse("too deep a nesting", MAX_NESTING);
        }
        if tokens > MAX_TOKENS {
            return refuse("too many tokens", MAX_TOKENS);
        }
    }
    Ok(())
}

/// The position after the string or block string that starts at `at`, if it ends.
fn after_string(bytes: &[u8], at: usize) -> Option<usize> {
    if bytes[at..].starts_with(b"\"\"\"") {
        let mut end = at + 3;
        while end < bytes.len() {
            if bytes[end..].starts_with(b"\\\"\"\"") {
                end += 4;
            } else if bytes[end..].starts_with(b"\"\"\"") {
                return Some(end + 3);
            } else {
                end += 1;
            }
        }
        return None;
    }
    let mut end = at + 1;
    while end < bytes.len() {
        match bytes[end] {
            b'\\' => end += 2,
            b'"' => return Some(end + 1),
            b'\n' | b'\r' => return None,
            _ => end += 1,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> Option<Code> {
        Documents::default().parse(text).err().map(|refusal| refusal.code)
    }

    #[test]
    fn an_ordinary_document_is_parsed_once() {
        let documents = Documents::default();
        let first = documents.parse("{ __typename }").unwrap();
        assert!(Arc::ptr_eq(&first, &documents.parse("{ __typename }").unwrap()));
    }

    #[test]
    fn deeply_nested_literals_are_refused_before_the_parser_sees_them() {
        for (open, close) in [("[", "]"), ("{a:", "}")] {
            let text = format!("{{a(b:{}1{})}}", open.repeat(1_700), close.repeat(1_700));
            assert_eq!(refused(&text), Some(Code::QueryTooComplex));
        }
    }

    #[test]
    fn a_string_without_an_end_hides_no_brackets() {
        let open = "[".repeat(1_700);
        for quotes in ["\"\"\"\"", "\"\"\"", "\"", "\"\"\"\"\""] {
            let text = format!("{{a(b:[{quotes}{open}1{}])}}", "]".repeat(1_700));
            assert_eq!(refused(&text), Some(Code::GraphqlParseFailed), "{quotes}");
        }
        let closed = format!("{{a(b:[\"\"{open}1{}])}}", "]".repeat(1_700));
        assert_eq!(refused(&closed), Some(Code::QueryTooComplex));
    }

    #[test]
    fn brackets_inside_strings_and_comments_do_not_nest() {
        let open = "{".repeat(100);
        assert_eq!(refused(&format!("{{ a(b: \"{open}\") }}")), None);
        assert_eq!(refused(&format!("{{ a(b: \"\"\"{open} \\\"\"\" {open}\"\"\") }}")), None);
        assert_eq!(refused(&format!("{{ a # {open}\n }}")), None);
        assert_eq!(refused(&format!("{{ a(b: \"\\\"{open}\") }}")), None);
    }

    proptest::proptest! {
        /// Half of the texts are made of what could confuse the two readers of strings.
        #[test]
        fn what_the_guard_lets_through_the_parser_survives(text in "[\"\\\\\\[\\]{}(:#a1\n ]{0,300}|\\PC{0,200}") {
            let _ = Documents::default().parse(&text);
        }
    }

    #[test]
    fn long_texts_many_tokens_and_broken_syntax_have_their_codes() {
        assert_eq!(refused(&" ".repeat(MAX_BYTES + 1)), Some(Code::QueryTooComplex));
        assert_eq!(refused(&format!("{{ {} }}", "a ".repeat(MAX_TOKENS))), Some(Code::QueryTooComplex));
        for broken in ["", "{", "query", "{ a(b: \"", "\"\"\"", "\u{feff}", "{ a @ }"] {
            assert_eq!(refused(broken), Some(Code::GraphqlParseFailed), "{broken}");
        }
    }
}
