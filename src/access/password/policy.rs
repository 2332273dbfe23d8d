//! Which passwords are good enough.
//!
//! Length and unpredictability, nothing else: no required character classes, no expiry (NIST SP 800-63B-4,
//! OWASP ASVS 5.0 §6.2). zxcvbn brings the list of the 30,000 most common passwords and the common words and
//! names, and finds them also reversed, capitalised and in "l33t" spelling.

use zxcvbn::{Score, zxcvbn};

use super::MAX_CHARS;

pub const MIN_CHARS: usize = 15;

/// A word that everybody knows of this system, and an attacker tries first.
const PRODUCT: &str = "praxis";

/// Why a password is not good enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyProblem {
    TooShort,
    TooLong,
    /// It is common, repetitive, or made of what is known about the user.
    TooGuessable,
}

/// Checks a new password. `context_words` are what an attacker knows of the user: name, e-mail address,
/// workspace. This takes some milliseconds, so it belongs on a blocking thread.
pub fn check_policy(password: &str, context_words: &[&str]) -> Result<(), Vec<PolicyProblem>> {
    let length = password.chars().take(MAX_CHARS + 1).count();
    // Nothing more is asked of a password whose length is wrong: an overlong one is not worth the work.
    if length > MAX_CHARS {
        return Err(vec![PolicyProblem::TooLong]);
    }
    let mut problems = Vec::new();
    if length < MIN_CHARS {
        problems.push(PolicyProblem::TooShort);
    }
    if zxcvbn(password, &known_words(context_words)).score() < Score::Three {
        problems.push(PolicyProblem::TooGuessable);
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// The context words and their parts, since `ada.lovelace@example.org` also stands for `lovelace`.
fn known_words<'a>(context_words: &[&'a str]) -> Vec<&'a str> {
    let mut words = vec![PRODUCT];
    for word in context_words {
        words.push(word);
        words.extend(word.split(|c: char| !c.is_alphanumeric()).filter(|part| part.chars().count() > 2));
    }
    words.retain(|word| !word.is_empty());
    words
}
#[cfg(test)]
mod timing { #[test] fn t() {
  zxcvbn::zxcvbn("warm up password", &["ada"]);
  let ps=["correct horse battery staple".repeat(4), "a".repeat(100), "ab1".repeat(34), "Tr0ub4dor&3".repeat(9), "1234567890".repeat(10), "qwertyuiop".repeat(10), "@$4a(8{[<36|!i17|0$5+7%2z".repeat(4), "11/11/1111".repeat(10), "passwordpassword1".repeat(6), (0..100u32).map(|i| char::from_u32(33+(i*37)%90).unwrap()).collect(), "é漢".repeat(50), "@({0".repeat(25), "4@".repeat(50),"a4b8c(d6e3g9i1".repeat(8)];
  for n in [24,32,40,48,64,100] { for p in &ps {
    let p:String=p.chars().take(n).collect();
    let s=std::time::Instant::now(); let r=zxcvbn::zxcvbn(&p,&["ada.lovelace@example.org","Ada Lovelace","ada","lovelace","example"]); println!("{n} {:?} {:?} {}",s.elapsed(),r.score(),&p.chars().take(30).collect::<String>());
  } } } }
