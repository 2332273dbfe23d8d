//! Which passwords are good enough.
//!
//! Length and unpredictability, nothing else: no required character classes, no expiry (NIST SP 800-63B-4,
//! OWASP ASVS 5.0 §6.2). zxcvbn brings the list of the 30,000 most common passwords and the common words and
//! names, and finds them also reversed, capitalised and in "l33t" spelling.

use zxcvbn::{Score, zxcvbn};

use super::MAX_CHARS;

pub const MIN_CHARS: usize = 15;

/// How much of a password is judged. The estimate takes time beyond proportion: half a second of a core for a
/// hundred characters that all have "l33t" readings, and a tenth of that for these.
const JUDGED_CHARS: usize = 32;

/// A word that everybody knows of this system, and an attacker tries first.
const PRODUCT: &str = "praxis";

/// Why a password is not good enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyProblem {
    #[error("it has less than {MIN_CHARS} characters")]
    TooShort,
    #[error("it has more than {MAX_CHARS} characters")]
    TooLong,
    /// It is common, repetitive, or made of what is known about the user.
    #[error("it is easy to guess")]
    TooGuessable,
}

/// Checks a new password. `context_words` are what an attacker knows of the user: name, e-mail address,
/// workspace. Up to 40 ms of work: [`Passwords::hash_new`](super::Passwords::hash_new) does it where it blocks
/// nobody.
pub fn check_policy(password: &str, context_words: &[&str]) -> Result<(), Vec<PolicyProblem>> {
    let length = password.chars().take(MAX_CHARS + 1).count();
    let mut problems = Vec::new();
    if length < MIN_CHARS {
        problems.push(PolicyProblem::TooShort);
    }
    if length > MAX_CHARS {
        problems.push(PolicyProblem::TooLong);
    }
    if is_guessable(password, context_words) {
        problems.push(PolicyProblem::TooGuessable);
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn is_guessable(password: &str, context_words: &[&str]) -> bool {
    zxcvbn(head(password), &known_words(context_words)).score() < Score::Three
}

/// The context words and their parts, since `ada.lovelace@example.org` also stands for `lovelace`.
fn known_words<'a>(context_words: &[&'a str]) -> Vec<&'a str> {
    let mut words = vec![PRODUCT];
    for word in context_words {
        words.push(head(word));
        words.extend(word.split(|c: char| !c.is_alphanumeric()).map(head));
    }
    // Shorter ones are in too many good passwords.
    words.retain(|word| word.chars().count() > 2);
    words
}

/// The part of a text that is judged.
fn head(text: &str) -> &str {
    text.char_indices().nth(JUDGED_CHARS).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    const CONTEXT: [&str; 3] = ["ada.lovelace@example.org", "Ada Lovelace", "Riverside Physiotherapy"];

    #[test]
    fn only_length_and_guessability_count() {
        use PolicyProblem::{TooGuessable, TooLong, TooShort};
        let long = "Nine tailors ring. ".repeat(13) + "123456789";
        assert_eq!(long.chars().count(), MAX_CHARS);
        let longer = long.clone() + "x";
        let accents = "ärger über öl im süden ".to_owned() + &"é".repeat(MAX_CHARS - 23);
        let cases: &[(&str, &[PolicyProblem])] = &[
            // No class of characters is required.
            ("quiet lamps borrow seven tulips", &[]),
            ("gxmzvhrwqtpbkdj", &[]),
            ("739154826093517", &[]),
            ("鯨が月夜に唄う静かな湖畔の森影", &[]),
            (&long, &[]),
            (&accents, &[]),
            // One character less, one more.
            ("gxmzvhrwqtpbkd", &[TooShort]),
            (&longer, &[TooLong]),
            ("", &[TooShort, TooGuessable]),
            ("password", &[TooShort, TooGuessable]),
            // Long enough and worthless.
            ("passwordpassword", &[TooGuessable]),
            ("P@ssw0rdP@ssw0rd", &[TooGuessable]),
            ("123456789987654321", &[TooGuessable]),
            ("1qaz2wsx3edc4rfv", &[TooGuessable]),
            ("mailcreated5240", &[TooGuessable]),
            ("qwertyuiopasdfgh", &[TooGuessable]),
            ("aaaaaaaaaaaaaaaa", &[TooGuessable]),
            ("abcabcabcabcabcabc", &[TooGuessable]),
            ("praxispraxispraxis", &[TooGuessable]),
            // What is known of the user, also in other clothes.
            ("ada.lovelace@example.org", &[TooGuessable]),
            ("lovelacelovelace", &[TooGuessable]),
            ("Ada Lovelace 1815", &[TooGuessable]),
            ("L0v3l4c3L0v3l4c3", &[TooGuessable]),
            ("ecalevolecalevol", &[TooGuessable]),
            ("RiversidePhysiotherapy", &[TooGuessable]),
            ("Riverside Physiotherapy", &[TooGuessable]),
        ];
        for (password, problems) in cases {
            let result = check_policy(password, &CONTEXT);
            assert_eq!(result.err().unwrap_or_default(), *problems, "{password}");
        }
    }

    #[test]
    fn context_words_count_only_for_those_they_describe() {
        let password = "gwendolynabernathy";
        assert_eq!(check_policy(password, &["Gwendolyn Abernathy"]), Err(vec![PolicyProblem::TooGuessable]));
        assert_eq!(
            check_policy(password, &["gwendolyn.abernathy@example.org"]),
            Err(vec![PolicyProblem::TooGuessable])
        );
        assert_eq!(check_policy("tjvkgwpxzqmbhfy", &["j", "", "é", "@"]), Ok(()));
    }

    #[test]
    fn the_most_common_passwords_are_embedded() {
        // From all over the list: its first, its last, and some between.
        for common in ["123456", "password", "dragon", "mustang", "momsanaladventure", "polniypizdec0211"] {
            assert!(is_guessable(common, &[]), "{common}");
        }
    }

    /// The worst kinds found: every character has other readings, or none is in any word.
    #[test]
    fn no_password_takes_long_to_judge() {
        let scrambled: String =
            (0..MAX_CHARS as u32).filter_map(|i| char::from_u32(33 + (i * 37) % 90)).collect();
        check_policy("builds the dictionaries", &[]).unwrap();
        for password in ["@$4a(8{[<36|!i17|0$5+7%2z".repeat(10), scrambled, "a".repeat(100_000)] {
            let started = std::time::Instant::now();
            let _ = check_policy(&password, &CONTEXT);
            let took = started.elapsed();
            assert!(took < std::time::Duration::from_millis(500), "{took:?} for {}", head(&password));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn any_random_text_of_the_right_length_is_accepted(password in "\\PC{15,64}") {
            // Unless it repeats itself, which chance does not do to this extent.
            let distinct: HashSet<char> = password.chars().collect();
            prop_assume!(distinct.len() >= 12);
            prop_assert_eq!(check_policy(&password, &CONTEXT), Ok(()));
        }

        #[test]
        fn no_text_of_another_length_is_accepted(short in "\\PC{0,14}", long in "\\PC{257,300}") {
            prop_assert!(check_policy(&short, &CONTEXT).unwrap_err().contains(&PolicyProblem::TooShort));
            prop_assert!(check_policy(&long, &CONTEXT).unwrap_err().contains(&PolicyProblem::TooLong));
        }
    }
}
