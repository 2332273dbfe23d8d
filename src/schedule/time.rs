//! Times of the day and days of the week, as the API writes them.

use async_graphql::{Enum, InputValueError, InputValueResult, Scalar, ScalarType, Value};

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Enum)]
pub enum Weekday {
    /// Monday.
    Monday,
    /// Tuesday.
    Tuesday,
    /// Wednesday.
    Wednesday,
    /// Thursday.
    Thursday,
    /// Friday.
    Friday,
    /// Saturday.
    Saturday,
    /// Sunday.
    Sunday,
}

impl Weekday {
    const ALL: [Self; 7] = [
        Self::Monday,
        Self::Tuesday,
        Self::Wednesday,
        Self::Thursday,
        Self::Friday,
        Self::Saturday,
        Self::Sunday,
    ];

    /// ISO: Monday is 1, Sunday is 7.
    pub fn number(self) -> i32 {
        self as i32 + 1
    }

    pub fn from_number(number: i32) -> Self {
        let index = usize::try_from(number - 1).unwrap_or(0);
        Self::ALL.get(index).copied().unwrap_or(Self::Monday)
    }
}

/// A time on the wall, in minutes since midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LocalTime(pub i32);

/// A time on the wall as `HH:MM`, from `00:00` to `24:00`; `24:00` is the end of a day.
#[Scalar(name = "LocalTime")]
impl ScalarType for LocalTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = &value else { return Err(InputValueError::expected_type(value)) };
        Self::read(text).ok_or_else(|| InputValueError::custom("Write a time as HH:MM, from 00:00 to 24:00."))
    }

    fn to_value(&self) -> Value {
        Value::String(format!("{:02}:{:02}", self.0 / 60, self.0 % 60))
    }
}

impl LocalTime {
    fn read(text: &str) -> Option<Self> {
        let (hours, minutes) = text.split_once(':')?;
        let two = |digits: &str| {
            let plain = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
            plain.then(|| digits.parse::<i32>().ok()).flatten()
        };
        let (hours, minutes) = (two(hours)?, two(minutes)?);
        let time = hours * 60 + minutes;
        (minutes < 60 && time <= 1_440).then_some(Self(time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_the_day_has_one_spelling() {
        for (text, minutes) in [("00:00", 0), ("09:05", 545), ("23:59", 1_439), ("24:00", 1_440)] {
            assert_eq!(LocalTime::read(text), Some(LocalTime(minutes)));
            assert_eq!(LocalTime(minutes).to_value(), Value::String(text.into()));
        }
        for bad in ["", "9:00", "09:5", "09:60", "24:01", "25:00", "-1:00", "09:00:00", "+9:00", "０９:00"]
        {
            assert_eq!(LocalTime::read(bad), None, "{bad}");
        }
    }

    #[test]
    fn weekdays_are_numbered_as_iso_does() {
        for (index, day) in Weekday::ALL.into_iter().enumerate() {
            assert_eq!(day.number(), index as i32 + 1);
            assert_eq!(Weekday::from_number(day.number()), day);
        }
    }
}
