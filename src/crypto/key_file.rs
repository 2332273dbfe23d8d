//! Files of secret keys: one line per key, `NAME:BASE64` of 32 bytes, and comments after `#`.
//!
//! Such a file belongs to its owner alone. One that others can read is refused, not repaired: whoever could
//! read it may have done so, and only the operator can judge that.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use data_encoding::{BASE64, HEXLOWER};
use zeroize::Zeroizing;

use super::Key;
use super::key::fill_random;

/// More than any file of keys needs; a mistaken path must not fill the memory.
const MAX_FILE: u64 = 64 * 1024;

/// One line of a key file.
#[derive(Debug)]
pub struct Entry {
    pub line: usize,
    pub name: String,
    pub key: Key,
}

/// A key file that cannot be used: which one, which line, and what is wrong. Shows no key.
#[derive(Debug, thiserror::Error)]
pub struct KeyFileError {
    pub file: Option<PathBuf>,
    pub line: Option<usize>,
    pub problem: Problem,
}

/// What is wrong with a key file.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    #[error("cannot be read: {0}")]
    Read(io::Error),
    #[error("cannot be written: {0}")]
    Write(io::Error),
    #[error("exists already and is not overwritten")]
    Exists,
    #[error("is not a file")]
    NotAFile,
    #[error("is larger than {MAX_FILE} bytes")]
    TooLarge,
    #[error(
        "can be used by others than its owner (mode {0:04o}); run chmod 600, and replace its keys if others may have read them"
    )]
    NotPrivate(u32),
    #[error("has no key")]
    Empty,
    #[error("expected NAME:BASE64")]
    NotAnEntry,
    #[error("the part after the colon is not base64")]
    NotBase64,
    #[error("a key has 32 bytes, this one has {0}")]
    Length(usize),
    #[error("all bytes of the key are equal; make keys with a random source")]
    NotRandom,
    /// Named by line: a name in the wrong place could be a key.
    #[error("has the same name as line {0}")]
    Duplicate(usize),
    /// The part before the colon is not what this file needs there.
    #[error("expected {0} before the colon")]
    Name(&'static str),
}

impl fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(file) => write!(f, "key file {}", file.display())?,
            None => f.write_str("key list")?,
        }
        match self.line {
            Some(line) => write!(f, ", line {line}: {}", self.problem),
            None => write!(f, ": {}", self.problem),
        }
    }
}

impl KeyFileError {
    pub(crate) fn at_line(line: usize, problem: Problem) -> Self {
        Self { file: None, line: Some(line), problem }
    }

    pub(crate) fn of_file(file: &Path, problem: Problem) -> Self {
        Self { file: Some(file.to_owned()), line: None, problem }
    }

    /// Whether `create` failed because the file was there first.
    pub fn is_existing_file(&self) -> bool {
        matches!(self.problem, Problem::Exists)
    }
}

/// The entries of a key list, in its order: at least one, each name once.
pub fn parse(text: &str) -> Result<Vec<Entry>, KeyFileError> {
    let mut entries: Vec<Entry> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let content = line.split('#').next().unwrap_or_default().trim();
        if content.is_empty() {
            continue;
        }
        let line = index + 1;
        let entry = parse_entry(line, content).map_err(|problem| KeyFileError::at_line(line, problem))?;
        if let Some(earlier) = entries.iter().find(|earlier| earlier.name == entry.name) {
            return Err(KeyFileError::at_line(line, Problem::Duplicate(earlier.line)));
        }
        entries.push(entry);
    }
    if entries.is_empty() {
        return Err(KeyFileError { file: None, line: None, problem: Problem::Empty });
    }
    Ok(entries)
}

fn parse_entry(line: usize, content: &str) -> Result<Entry, Problem> {
    let (name, encoded) = content.split_once(':').ok_or(Problem::NotAnEntry)?;
    let (name, encoded) = (name.trim(), encoded.trim());
    let size = BASE64.decode_len(encoded.len()).map_err(|_| Problem::NotBase64)?;
    let mut bytes = Zeroizing::new(vec![0; size]);
    let length = BASE64.decode_mut(encoded.as_bytes(), &mut bytes).map_err(|_| Problem::NotBase64)?;
    let bytes = &bytes[..length];
    let key = Key::from_slice(bytes).ok_or(Problem::Length(length))?;
    if bytes.iter().all(|byte| *byte == bytes[0]) {
        return Err(Problem::NotRandom);
    }
    Ok(Entry { line, name: name.to_owned(), key })
}

/// Reads a key file and lets `parse` make something of its text. Refuses a file that others can use.
pub fn load<T>(path: &Path, parse: impl FnOnce(&str) -> Result<T, KeyFileError>) -> Result<T, KeyFileError> {
    let text = read_private(path).map_err(|problem| KeyFileError::of_file(path, problem))?;
    parse(&text).map_err(|error| KeyFileError { file: Some(path.to_owned()), ..error })
}

fn read_private(path: &Path) -> Result<Zeroizing<String>, Problem> {
    let file = File::open(path).map_err(Problem::Read)?;
    // Of the open file, not of the path: the two could differ by now.
    let metadata = file.metadata().map_err(Problem::Read)?;
    if !metadata.is_file() {
        return Err(Problem::NotAFile);
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = metadata.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(Problem::NotPrivate(mode));
        }
    }
    if metadata.len() > MAX_FILE {
        return Err(Problem::TooLarge);
    }
    // The full size at once: growing would leave copies of the keys behind.
    let mut text = Zeroizing::new(String::with_capacity(MAX_FILE as usize));
    file.take(MAX_FILE).read_to_string(&mut text).map_err(Problem::Read)?;
    Ok(text)
}

/// Writes a new key file, readable by its owner only. It appears complete or not at all, and never replaces
/// another one: of two processes that start at once, one creates it and the other learns that it exists.
pub fn create(path: &Path, comment: &str, entries: &[(&str, &Key)]) -> Result<(), KeyFileError> {
    let mut text = Zeroizing::new(String::with_capacity(comment.len() + 4 + entries.len() * 128));
    text.push_str("# ");
    text.push_str(comment);
    text.push('\n');
    for (name, key) in entries {
        text.push_str(name);
        text.push(':');
        BASE64.encode_append(key.expose(), &mut text);
        text.push('\n');
    }
    create_private(path, text.as_bytes()).map_err(|error| {
        let problem = match error.kind() {
            io::ErrorKind::AlreadyExists => Problem::Exists,
            _ => Problem::Write(error),
        };
        KeyFileError::of_file(path, problem)
    })
}

fn create_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut suffix = [0; 8];
    fill_random(&mut suffix);
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{}", HEXLOWER.encode(&suffix)));
    let draft = PathBuf::from(draft);

    // A link, unlike a rename, fails when the name is taken.
    let result = write_draft(&draft, content).and_then(|()| fs::hard_link(&draft, path));
    let removed = fs::remove_file(&draft);
    result.and(removed)?;
    sync_folder(path)
}

fn write_draft(draft: &Path, content: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(draft)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Makes the new name itself last: a key lost in a crash would take with it all that it sealed.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    #[test]
    fn comments_and_blank_lines_are_skipped_and_the_order_is_kept() {
        let text = format!("# keys\n\n  b : {GOOD}  # the older\r\na:{GOOD}\n");
        let entries = parse(&text).unwrap();
        let seen: Vec<_> = entries.iter().map(|entry| (entry.line, entry.name.as_str())).collect();
        assert_eq!(seen, [(3, "b"), (4, "a")]);
        assert_eq!(entries[0].key.expose()[..4], [0, 1, 2, 3]);
    }

    #[test]
    fn each_mistake_has_its_own_message_with_the_line() {
        let cases = [
            (String::new(), "key list: has no key"),
            ("# nothing".to_owned(), "key list: has no key"),
            (format!("\n{GOOD}"), "key list, line 2: expected NAME:BASE64"),
            ("1:&&&&".to_owned(), "key list, line 1: the part after the colon is not base64"),
            (format!("1:{}", &GOOD[..43]), "key list, line 1: the part after the colon is not base64"),
            ("1:".to_owned(), "key list, line 1: a key has 32 bytes, this one has 0"),
            (
                format!("1:{}", BASE64.encode(&[1; 31])),
                "key list, line 1: a key has 32 bytes, this one has 31",
            ),
            (
                format!("1:{}", BASE64.encode(&[1; 33])),
                "key list, line 1: a key has 32 bytes, this one has 33",
            ),
            (
                format!("1:{}", BASE64.encode(&[0; 32])),
                "key list, line 1: all bytes of the key are equal; make keys with a random source",
            ),
            (
                format!("1:{}", BASE64.encode(&[255; 32])),
                "key list, line 1: all bytes of the key are equal; make keys with a random source",
            ),
            (format!("1:{GOOD}\n1:{GOOD}"), "key list, line 2: has the same name as line 1"),
        ];
        for (text, message) in cases {
            assert_eq!(parse(&text).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn no_error_shows_key_material() {
        for text in
            [format!("{GOOD}:{GOOD}\n{GOOD}:{GOOD}"), format!("{GOOD}:{}", &GOOD[..40]), GOOD.to_owned()]
        {
            let error = parse(&text).unwrap_err();
            assert!(!format!("{error} {error:?}").contains(&GOOD[..12]), "{error:?}");
        }
    }

    #[test]
    fn a_created_file_is_private_complete_and_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let (one, two) = (Key::random(), Key::random());

        create(&path, "of a test", &[("1", &one), ("2", &two)]).unwrap();

        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("# of a test\n1:"));
        let entries = load(&path, parse).unwrap();
        assert_eq!(entries.len(), 2);
        assert_eq!(entries[1].key.expose(), two.expose());
        let again = create(&path, "of a test", &[("1", &two)]).unwrap_err();
        assert!(again.is_existing_file());
        assert_eq!(
            again.to_string(),
            format!("key file {}: exists already and is not overwritten", path.display())
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left behind");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_can_use_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        create(&path, "of a test", &[("1", &Key::random())]).unwrap();
        for mode in [0o640, 0o604, 0o660, 0o610, 0o601, 0o620, 0o644, 0o777] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = load(&path, parse).unwrap_err();
            assert!(matches!(error.problem, Problem::NotPrivate(m) if m == mode), "{mode:o}");
            assert!(error.to_string().contains(&format!("{}: can be used by others", path.display())));
        }
        for mode in [0o600, 0o400, 0o700] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert!(load(&path, parse).is_ok(), "{mode:o}");
        }
    }

    #[test]
    fn a_missing_file_a_folder_and_a_huge_file_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let missing = load(&folder.path().join("none"), parse).unwrap_err();
        assert!(missing.to_string().contains("none: cannot be read"), "{missing}");
        assert!(matches!(load(folder.path(), parse).unwrap_err().problem, Problem::NotAFile));

        let path = folder.path().join("keys");
        create(&path, &"x".repeat(70_000), &[("1", &Key::random())]).unwrap();
        assert!(matches!(load(&path, parse).unwrap_err().problem, Problem::TooLarge));

        let nowhere = folder.path().join("no/such/folder");
        assert!(matches!(create(&nowhere, "", &[]).unwrap_err().problem, Problem::Write(_)));
    }
}
