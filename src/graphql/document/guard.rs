//! The first look at a document's text: one pass, no recursion, before any parser sees it.
//!
//! Parsers recurse into what nests: a few kilobytes of brackets can end a process. What this lets through
//! is short and shallow.

use super::Refusal;
use crate::graphql::error::Code;

/// Bytes of a document.
pub const MAX_BYTES: usize = 20_000;
/// Tokens of a document.
pub const MAX_TOKENS: usize = 2_000;
/// Nesting of brackets of any kind.
pub const MAX_NESTING: usize = 32;
/// Bytes of a name.
pub const MAX_NAME: usize = 256;

/// Refuses a text that is too long, has too many tokens or nests too deep.
pub fn inspect(text: &str) -> Result<(), Refusal> {
    let refuse = |what: &str, most: usize| {
        Err(Refusal::new(Code::QueryTooComplex, format!("The document has {what}: at most {most}.")))
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
                    return Err(Refusal::new(Code::GraphqlParseFailed, "A string has no end."));
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
                let mut length = word(&bytes[at..]);
                let after = &bytes[at + length..];
                if byte.is_ascii_digit() && matches!(after, [b'.', b'0'..=b'9', ..]) {
                    length += 1 + word(&after[1..]);
                }
                if length > MAX_NAME {
                    return refuse("too long a name", MAX_NAME);
                }
                at += length;
                tokens += 1;
            }
            _ => {
                tokens += 1;
                at += if bytes[at..].starts_with(b"...") { 3 } else { 1 };
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

/// How long the name or number is that these bytes begin with.
fn word(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count()
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
        inspect(text).err().map(|refusal| refusal.code())
    }

    #[test]
    fn deeply_nested_literals_are_refused() {
        for (open, close) in [("[", "]"), ("{a:", "}"), ("(", ")")] {
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

    #[test]
    fn spreads_without_spaces_are_counted_one_by_one() {
        // Two tokens each, and the braces.
        let spreads = |count: usize| format!("{{{}}}", "...F".repeat(count));
        assert_eq!(refused(&spreads(MAX_TOKENS / 2 - 1)), None);
        assert_eq!(refused(&spreads(MAX_TOKENS / 2)), Some(Code::QueryTooComplex));
        let numbers = |count: usize| format!("{{a(b:[{}])}}", "1.5 ".repeat(count));
        assert_eq!(refused(&numbers(MAX_TOKENS - 9)), None);
        assert_eq!(refused(&numbers(MAX_TOKENS - 8)), Some(Code::QueryTooComplex));
        // A name that is only long with its neighbours is not long.
        assert_eq!(refused(&format!("{{...{name}...{name}}}", name = "F".repeat(MAX_NAME))), None);
    }

    #[test]
    fn each_limit_holds_exactly() {
        let nested = |depth: usize| format!("{}a{}", "{".repeat(depth), "}".repeat(depth));
        for (most, text) in [
            (MAX_BYTES, (&|bytes| " ".repeat(bytes)) as &dyn Fn(usize) -> String),
            (MAX_TOKENS, &|tokens| "a ".repeat(tokens)),
            (MAX_NESTING, &nested),
            (MAX_NAME, &|length| "a".repeat(length)),
        ] {
            assert_eq!(refused(&text(most)), None, "{most}");
            assert_eq!(refused(&text(most + 1)), Some(Code::QueryTooComplex), "{most}");
        }
    }
}
