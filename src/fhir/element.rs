//! A resource's JSON, read element by element so that a fault can name the element.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::Value;

/// Characters that one text may have. FHIR allows a million; no column of ours is meant for that.
const MAX_TEXT_CHARS: usize = 1_000;

/// Why a resource cannot be taken, or not completely: an element's path and what was expected of it, never its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault(pub String);

impl Fault {
    pub fn expected(path: &str, what: &str) -> Self {
        Self(format!("{path}: {what} was expected"))
    }
}

/// One element and where it stands, as `Patient.name[0]`.
pub struct Element<'a> {
    value: &'a Value,
    path: String,
}

impl<'a> Element<'a> {
    pub fn root(resource_type: &str, value: &'a Value) -> Self {
        Self { value, path: resource_type.to_owned() }
    }

    /// A fault of this element.
    pub fn expected(&self, what: &str) -> Fault {
        Fault::expected(&self.path, what)
    }

    /// A fault of the child of this name, be it there or not.
    pub fn expected_at(&self, name: &str, what: &str) -> Fault {
        Fault::expected(&format!("{}.{name}", self.path), what)
    }

    /// A remark on this element.
    pub fn remark(&self, what: &str) -> Fault {
        Fault(format!("{}: {what}", self.path))
    }

    /// A remark on the child of this name.
    pub fn remark_at(&self, name: &str, what: &str) -> Fault {
        Fault(format!("{}.{name}: {what}", self.path))
    }

    /// The child of this name; JSON's null counts as missing.
    pub fn get(&self, name: &str) -> Result<Option<Element<'a>>, Fault> {
        let object = self.value.as_object().ok_or_else(|| self.expected("an object"))?;
        let child = object.get(name).filter(|value| !value.is_null());
        Ok(child.map(|value| Element { value, path: format!("{}.{name}", self.path) }))
    }

    /// The children of a repeating element; none when it is missing.
    pub fn list(&self, name: &str) -> Result<Vec<Element<'a>>, Fault> {
        let Some(list) = self.get(name)? else { return Ok(Vec::new()) };
        let items = list.value.as_array().ok_or_else(|| list.expected("an array"))?;
        let at = |(i, value)| Element { value, path: format!("{}[{i}]", list.path) };
        Ok(items.iter().enumerate().map(at).collect())
    }

    /// The text of this element without the white space around it; `None` when nothing is left.
    pub fn as_text(&self) -> Result<Option<&'a str>, Fault> {
        let text = self.value.as_str().ok_or_else(|| self.expected("a string"))?.trim();
        if text.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r')) {
            return Err(self.expected("text without control characters"));
        }
        if text.chars().count() > MAX_TEXT_CHARS {
            return Err(self.expected(&format!("text of at most {MAX_TEXT_CHARS} characters")));
        }
        Ok((!text.is_empty()).then_some(text))
    }

    pub fn text(&self, name: &str) -> Result<Option<&'a str>, Fault> {
        self.get(name)?.map_or(Ok(None), |child| child.as_text())
    }

    pub fn owned(&self, name: &str) -> Result<Option<String>, Fault> {
        Ok(self.text(name)?.map(str::to_owned))
    }

    /// The texts of a repeating element, joined.
    pub fn joined(&self, name: &str, separator: &str) -> Result<Option<String>, Fault> {
        let mut parts = Vec::new();
        for item in self.list(name)? {
            parts.extend(item.as_text()?);
        }
        let whole = parts.join(separator);
        if whole.chars().count() > MAX_TEXT_CHARS {
            return Err(
                self.expected_at(name, &format!("text of at most {MAX_TEXT_CHARS} characters together"))
            );
        }
        Ok((!whole.is_empty()).then_some(whole))
    }

    pub fn flag(&self, name: &str) -> Result<Option<bool>, Fault> {
        let Some(child) = self.get(name)? else { return Ok(None) };
        child.value.as_bool().map(Some).ok_or_else(|| child.expected("true or false"))
    }

    /// A FHIR `date`.
    pub fn date(&self, name: &str) -> Result<Option<PartialDate>, Fault> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        parse_date(text).map(Some).ok_or_else(|| self.expected_at(name, "a date (YYYY-MM-DD)"))
    }

    /// The date in a FHIR `dateTime`, as it was where it was written.
    pub fn date_of(&self, name: &str) -> Result<Option<PartialDate>, Fault> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let date = match text.split_once('T') {
            Some((date, _)) => parse_instant(text).and_then(|_| parse_date(date)),
            None => parse_date(text),
        };
        date.map(Some).ok_or_else(|| self.expected_at(name, "a date, or a date and time with offset"))
    }

    /// A FHIR `dateTime` or `instant` with its time and offset, as UTC.
    pub fn instant(&self, name: &str) -> Result<Option<DateTime<Utc>>, Fault> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let fault = || self.expected_at(name, "a date and time with offset");
        parse_instant(text).map(Some).ok_or_else(fault)
    }

    /// The words of a CodeableConcept: its text, or the first coding's display.
    pub fn words(&self) -> Result<Option<&'a str>, Fault> {
        if let Some(text) = self.text("text")? {
            return Ok(Some(text));
        }
        for coding in self.list("coding")? {
            if let Some(display) = coding.text("display")? {
                return Ok(Some(display));
            }
        }
        Ok(None)
    }

    /// The codes of a CodeableConcept.
    pub fn codes(&self) -> Result<Vec<&'a str>, Fault> {
        let mut codes = Vec::new();
        for coding in self.list("coding")? {
            codes.extend(coding.text("code")?);
        }
        Ok(codes)
    }
}

/// A date that may lack its day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartialDate {
    Whole(NaiveDate),
    /// Only the year, or year and month.
    Partial,
}

/// FHIR's `date`: four, two and two digits, from the year 1 on.
fn parse_date(text: &str) -> Option<PartialDate> {
    // A date that lacks its day is checked as the first of its month or year.
    let whole = match text.len() {
        4 => format!("{text}-01-01"),
        7 => format!("{text}-01"),
        10 => text.to_owned(),
        _ => return None,
    };
    let in_shape = |(i, b): (usize, u8)| if matches!(i, 4 | 7) { b == b'-' } else { b.is_ascii_digit() };
    if !whole.bytes().enumerate().all(in_shape) || whole.starts_with("0000") {
        return None;
    }
    let date = NaiveDate::parse_from_str(&whole, "%Y-%m-%d").ok()?;
    Some(if text.len() == 10 { PartialDate::Whole(date) } else { PartialDate::Partial })
}

fn parse_instant(text: &str) -> Option<DateTime<Utc>> {
    if text.as_bytes().get(10) != Some(&b'T') {
        return None;
    }
    let instant = DateTime::parse_from_rfc3339(text).ok()?;
    // By way of microseconds: what both engines store, and a leap second becomes the second after it.
    DateTime::from_timestamp_micros(instant.timestamp_micros())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_four_two_and_two_digits_that_exist() {
        let whole = |text| match parse_date(text) {
            Some(PartialDate::Whole(date)) => date.to_string(),
            other => format!("{other:?}"),
        };
        assert_eq!(whole("1984-02-29"), "1984-02-29");
        assert_eq!(whole("0001-01-01"), "0001-01-01");
        for partial in ["1984", "1984-02", "1984-12"] {
            assert_eq!(parse_date(partial), Some(PartialDate::Partial), "{partial}");
        }
        for bad in [
            "",
            "84",
            "1984-",
            "1984-2-29",
            "1983-02-29",
            "1984-13",
            "1984-00",
            "0000",
            "0000-01-01",
            "1984/02/29",
            "29.02.1984",
            "+984-02-29",
            "1984-02-290",
            "１９84-02-2",
        ] {
            assert_eq!(parse_date(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_instant_needs_its_offset_and_becomes_utc() {
        let utc = |text| parse_instant(text).map(|at| at.to_rfc3339());
        assert_eq!(utc("2015-02-07T13:28:17.239+02:00").as_deref(), Some("2015-02-07T11:28:17.239+00:00"));
        assert_eq!(utc("2015-02-07T23:30:00-04:00").as_deref(), Some("2015-02-08T03:30:00+00:00"));
        assert_eq!(utc("2016-12-31T23:59:60Z").as_deref(), Some("2017-01-01T00:00:00+00:00"));
        assert_eq!(utc("2015-02-07T13:28:17.1234567Z").as_deref(), Some("2015-02-07T13:28:17.123456+00:00"));
        for bad in [
            "2015",
            "2015-02-07",
            "2015-02-07T13:28:17",
            "2015-02-07 13:28:17Z",
            "2015-02-30T00:00:00Z",
            "é015-02-0T",
        ] {
            assert_eq!(utc(bad), None, "{bad}");
        }
    }
}
