//! What inputs have in common: collected problems, and patches that tell omitted from null.

use std::fmt::Display;
use std::ops::RangeInclusive;

use async_graphql::{InputObject, InputType, MaybeUndefined};
use sea_orm::ActiveValue;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::error::{Error, FieldProblem, Result};
use crate::id::{EquipmentId, LocationId, RoomId, ServiceId};

/// What to archive, or to bring back.
#[derive(InputObject)]
#[graphql(concrete(name = "ArchiveServiceInput", params(ServiceId)))]
#[graphql(concrete(name = "ArchiveLocationInput", params(LocationId)))]
#[graphql(concrete(name = "ArchiveRoomInput", params(RoomId)))]
#[graphql(concrete(name = "ArchiveEquipmentInput", params(EquipmentId)))]
pub struct ArchiveInput<I: InputType> {
    /// What to archive or to bring back.
    pub id: I,
    /// The version that you have seen; another one is `STALE_VERSION`.
    pub expected_version: i32,
}

/// The problems of one input, all of them reported at once.
#[derive(Default)]
pub struct Problems(Vec<FieldProblem>);

impl Problems {
    pub fn add(&mut self, field: &str, message: impl Into<String>) {
        let path = std::iter::once("input").chain(field.split('.')).map(Into::into).collect();
        self.0.push(FieldProblem { path, message: message.into() });
    }

    /// A text that must say something and fit.
    pub fn text(&mut self, field: &str, text: &str, most: usize) {
        if text.trim().is_empty() {
            self.add(field, "Must not be blank.");
        }
        self.length(field, Some(text), most);
    }

    /// A text that may be absent but must fit.
    pub fn length(&mut self, field: &str, text: Option<&str>, most: usize) {
        if text.is_some_and(|text| text.chars().count() > most) {
            self.add(field, format!("At most {most} characters."));
        }
        // PostgreSQL stores no NUL.
        if text.is_some_and(|text| text.contains('\0')) {
            self.add(field, "Must not contain the character NUL.");
        }
    }

    pub fn range<T: PartialOrd + Display>(&mut self, field: &str, value: T, range: RangeInclusive<T>) {
        if !range.contains(&value) {
            self.add(field, format!("Must be {} to {}.", range.start(), range.end()));
        }
    }

    pub fn email(&mut self, field: &str, email: &str) {
        if !is_email(email) {
            self.add(field, "This is not an e-mail address.");
        }
    }

    pub fn ok(self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(Error::Invalid(self.0)) }
    }
}

/// One `@`, something on both sides, a dot in the domain, no spaces: whether it arrives shows by mail.
pub fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    !local.is_empty()
        && text.len() <= 254
        && domain.split('.').count() >= 2
        && domain.split('.').all(|label| !label.is_empty())
        && !domain.contains('@')
        && !text.chars().any(|character| character.is_whitespace() || character.is_control())
}

/// A name as it is compared: lower case, without accents and needless spaces.
///
/// Compatibility decomposition, marks dropped; letters that do not decompose (ø, ł, đ, ß, æ) are spelled out.
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !folded.is_empty() {
            folded.push(' ');
        }
        for character in word.nfkd().filter(|character| !is_combining_mark(*character)) {
            match character {
                'ø' | 'Ø' => folded.push('o'),
                'ł' | 'Ł' => folded.push('l'),
                'đ' | 'Đ' | 'ð' | 'Ð' => folded.push('d'),
                'ß' | 'ẞ' => folded.push_str("ss"),
                'æ' | 'Æ' => folded.push_str("ae"),
                'œ' | 'Œ' => folded.push_str("oe"),
                'þ' | 'Þ' => folded.push_str("th"),
                'ı' => folded.push('i'),
                other => folded.extend(other.to_lowercase().filter(|lower| !is_combining_mark(*lower))),
            }
        }
    }
    folded
}

/// Changes a column that has a value, when the input has one.
pub fn set<T: Into<sea_orm::Value>>(column: &mut ActiveValue<T>, value: Option<T>) {
    if let Some(value) = value {
        *column = ActiveValue::Set(value);
    }
}

/// Changes a column that may be empty: omitted leaves it, null empties it.
pub fn patch<T: Into<sea_orm::Value> + Clone>(column: &mut ActiveValue<Option<T>>, value: &MaybeUndefined<T>)
where
    Option<T>: Into<sea_orm::Value>,
{
    match value {
        MaybeUndefined::Undefined => {}
        MaybeUndefined::Null => *column = ActiveValue::Set(None),
        MaybeUndefined::Value(value) => *column = ActiveValue::Set(Some(value.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_compare_without_case_accents_and_spaces() {
        for (text, folded) in [
            ("  José   María ", "jose maria"),
            ("Mejía", "mejia"),
            ("Mejı\u{301}a", "mejia"),
            ("ŁUKASZ Øster", "lukasz oster"),
            ("Straße", "strasse"),
            ("İstanbul", "istanbul"),
            ("ﬁne", "fine"),
            ("", ""),
        ] {
            assert_eq!(fold(text), folded);
        }
    }

    #[test]
    fn what_cannot_be_an_email_address_is_refused() {
        assert!(is_email("owner@practice.example"));
        for bad in ["", "a", "a@", "@b.c", "a@b", "a@b..c", "a b@c.d", "a@b@c.d", "a@b.c\n"] {
            assert!(!is_email(bad), "{bad}");
        }
    }
}
