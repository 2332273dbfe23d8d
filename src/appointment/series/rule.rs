//! Recurrence rules (RFC 5545 RRULE), expanded on the wall clock.
//!
//! An expansion knows nothing of zones: `09:00` stays `09:00` whatever the clocks do. Each occurrence becomes
//! an instant afterwards ([`super::zone`]). Rules finer than a day are no rules for appointments, and week
//! numbers and days of the year are not understood.

use std::fmt;

use chrono::{DateTime, Datelike, Days, Duration, Months, NaiveDate, NaiveDateTime, NaiveTime, Weekday};
use chrono_tz::Tz;

use super::zone;

/// The most occurrences of a series.
pub const MOST: usize = 732;
/// How far a rule without an end goes.
const HORIZON: Months = Months::new(12);
/// How far any rule goes.
const FARTHEST: Months = Months::new(120);

/// How often, before anything else is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frequency {
    Daily,
    Weekly,
    Monthly,
    Yearly,
}

/// Where a rule ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// A year after the start.
    Open,
    /// After so many occurrences, those that are left out included.
    Count(usize),
    /// With the last occurrence that starts no later than this, on the wall clock.
    Until(NaiveDateTime),
}

/// A weekday, or the n-th one of the month or year, counted from the end when negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByDay {
    pub nth: Option<i32>,
    pub weekday: Weekday,
}

/// A recurrence rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub frequency: Frequency,
    pub interval: u32,
    pub end: End,
    pub by_month: Vec<u32>,
    pub by_month_day: Vec<i32>,
    pub by_day: Vec<ByDay>,
    pub by_set_pos: Vec<i32>,
    pub week_start: Weekday,
}

/// Why a rule is not one, in the user's language.
pub type Problem = String;

const WEEKDAYS: [(&str, Weekday); 7] = [
    ("MO", Weekday::Mon),
    ("TU", Weekday::Tue),
    ("WE", Weekday::Wed),
    ("TH", Weekday::Thu),
    ("FR", Weekday::Fri),
    ("SA", Weekday::Sat),
    ("SU", Weekday::Sun),
];

impl Rule {
    /// Reads a rule. An UNTIL in UTC is turned into the zone's wall clock; one without a time means the whole day.
    pub fn parse(text: &str, zone: Tz) -> Result<Self, Problem> {
        let text = text.trim().to_ascii_uppercase();
        let text = text.strip_prefix("RRULE:").unwrap_or(&text);
        let mut rule = Self {
            frequency: Frequency::Daily,
            interval: 1,
            end: End::Open,
            by_month: Vec::new(),
            by_month_day: Vec::new(),
            by_day: Vec::new(),
            by_set_pos: Vec::new(),
            week_start: Weekday::Mon,
        };
        let mut seen: Vec<&str> = Vec::new();
        for part in text.split(';').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').ok_or("Each part is NAME=VALUE.")?;
            if seen.contains(&name) {
                return Err(format!("{name} is given twice."));
            }
            seen.push(name);
            match name {
                "FREQ" => rule.frequency = frequency(value)?,
                "INTERVAL" => rule.interval = number(name, value, 1..=366)?,
                "COUNT" => rule.end = End::Count(number(name, value, 1..=MOST)?),
                "UNTIL" => rule.end = End::Until(until(value, zone)?),
                "BYMONTH" => rule.by_month = list(name, value, |item| number(name, item, 1..=12))?,
                "BYMONTHDAY" => {
                    rule.by_month_day = list(name, value, |item| signed(name, item, 31))?;
                }
                "BYSETPOS" => rule.by_set_pos = list(name, value, |item| signed(name, item, 366))?,
                "BYDAY" => rule.by_day = list(name, value, by_day)?,
                "WKST" => rule.week_start = weekday(value)?,
                _ => return Err(format!("{name} is not understood here.")),
            }
        }
        rule.check(&seen)?;
        Ok(rule)
    }

    fn check(&self, seen: &[&str]) -> Result<(), Problem> {
        let has = |name: &str| seen.contains(&name);
        if !has("FREQ") {
            return Err("FREQ is missing.".into());
        }
        if has("COUNT") && has("UNTIL") {
            return Err("Give COUNT or UNTIL, not both.".into());
        }
        if has("BYMONTHDAY") && self.frequency == Frequency::Weekly {
            return Err("BYMONTHDAY does not go with FREQ=WEEKLY.".into());
        }
        let numbered = self.by_day.iter().any(|day| day.nth.is_some());
        if numbered && matches!(self.frequency, Frequency::Daily | Frequency::Weekly) {
            return Err("A numbered BYDAY goes with FREQ=MONTHLY or FREQ=YEARLY.".into());
        }
        if has("BYSETPOS") && !(has("BYDAY") || has("BYMONTHDAY") || has("BYMONTH")) {
            return Err("BYSETPOS needs another BY part.".into());
        }
        Ok(())
    }

    /// The starts on the wall clock from `first` on, or why there are none that can be booked.
    pub fn expand(&self, first: NaiveDateTime) -> Result<Vec<NaiveDateTime>, Problem> {
        let limit = first.checked_add_months(FARTHEST).ok_or("The start is too far away.")?;
        let last = match self.end {
            End::Until(until) => until.min(limit),
            End::Count(_) => limit,
            End::Open => first.checked_add_months(HORIZON).ok_or("The start is too far away.")?,
        };
        let count = if let End::Count(count) = self.end { count } else { usize::MAX };
        let mut found = Vec::new();
        for period in 0.. {
            let Some((begin, days)) = self.period(first.date(), period) else { break };
            if begin > last.date() {
                break;
            }
            for day in self.positions(self.matching(first.date(), days)) {
                let start = day.and_time(first.time());
                if start < first {
                    continue;
                }
                if start > last || found.len() == count {
                    return Ok(found);
                }
                if found.len() == MOST {
                    return Err(format!("At most {MOST} appointments are made at once."));
                }
                found.push(start);
            }
        }
        Ok(found)
    }

    /// Turns the weekdays of the rule by so many days.
    pub fn turn_weekdays(&mut self, days: i64) {
        for wanted in &mut self.by_day {
            for _ in 0..days.rem_euclid(7) {
                wanted.weekday = wanted.weekday.succ();
            }
        }
    }

    /// The first day and all days of the n-th day, week, month or year of the rule.
    fn period(&self, first: NaiveDate, n: u64) -> Option<(NaiveDate, Vec<NaiveDate>)> {
        let n = n.checked_mul(self.interval.into())?;
        let (begin, end) = match self.frequency {
            Frequency::Daily => {
                let day = first.checked_add_days(Days::new(n))?;
                (day, day.succ_opt()?)
            }
            Frequency::Weekly => {
                let week = first.week(self.week_start).checked_first_day()?;
                let begin = week.checked_add_days(Days::new(n.checked_mul(7)?))?;
                (begin, begin.checked_add_days(Days::new(7))?)
            }
            Frequency::Monthly => {
                let begin = first.with_day(1)?.checked_add_months(Months::new(u32::try_from(n).ok()?))?;
                (begin, begin.checked_add_months(Months::new(1))?)
            }
            Frequency::Yearly => {
                let year = first.year().checked_add(i32::try_from(n).ok()?)?;
                (NaiveDate::from_ymd_opt(year, 1, 1)?, NaiveDate::from_ymd_opt(year.checked_add(1)?, 1, 1)?)
            }
        };
        Some((begin, begin.iter_days().take_while(|day| *day < end).collect()))
    }

    /// Those of the days that the BY parts let through; what they leave open is as at the first start.
    fn matching(&self, first: NaiveDate, days: Vec<NaiveDate>) -> Vec<NaiveDate> {
        let open = self.by_day.is_empty() && self.by_month_day.is_empty();
        let as_first = |day: &NaiveDate| match self.frequency {
            _ if !open => true,
            Frequency::Daily => true,
            Frequency::Weekly => day.weekday() == first.weekday(),
            Frequency::Monthly => day.day() == first.day(),
            Frequency::Yearly => {
                day.day() == first.day() && (!self.by_month.is_empty() || day.month() == first.month())
            }
        };
        let in_month = |day: &NaiveDate| self.by_month.is_empty() || self.by_month.contains(&day.month());
        let on_month_day = |day: &NaiveDate| {
            let from_end = i32::try_from(day.day()).unwrap_or(0) - length_of_month(*day) - 1;
            self.by_month_day.is_empty()
                || self.by_month_day.iter().any(|wanted| *wanted == day.day() as i32 || *wanted == from_end)
        };
        let on_day = |day: &NaiveDate| {
            self.by_day.is_empty() || self.by_day.iter().any(|wanted| self.is_nth(*wanted, *day))
        };
        days.into_iter()
            .filter(|day| as_first(day) && in_month(day) && on_month_day(day) && on_day(day))
            .collect()
    }

    /// Whether the day is that weekday, and the n-th one of its month or year.
    fn is_nth(&self, wanted: ByDay, day: NaiveDate) -> bool {
        if day.weekday() != wanted.weekday {
            return false;
        }
        let Some(nth) = wanted.nth else { return true };
        let (place, length) = if self.frequency == Frequency::Yearly && self.by_month.is_empty() {
            (day.ordinal0() as i32, if day.leap_year() { 366 } else { 365 })
        } else {
            (day.day0() as i32, length_of_month(day))
        };
        nth == place / 7 + 1 || nth == -((length - 1 - place) / 7 + 1)
    }

    /// The chosen places of a period's days; all of them without BYSETPOS.
    fn positions(&self, days: Vec<NaiveDate>) -> Vec<NaiveDate> {
        if self.by_set_pos.is_empty() {
            return days;
        }
        let length = i32::try_from(days.len()).unwrap_or(i32::MAX);
        let chosen = |place: i32| self.by_set_pos.iter().any(|p| *p == place + 1 || *p == place - length);
        (0..length).zip(days).filter(|(place, _)| chosen(*place)).map(|(_, day)| day).collect()
    }
}

fn length_of_month(day: NaiveDate) -> i32 {
    let first = day.with_day(1).unwrap_or(day);
    let next = first.checked_add_months(Months::new(1)).unwrap_or(first);
    i32::try_from((next - first).num_days()).unwrap_or(31)
}

fn frequency(value: &str) -> Result<Frequency, Problem> {
    match value {
        "DAILY" => Ok(Frequency::Daily),
        "WEEKLY" => Ok(Frequency::Weekly),
        "MONTHLY" => Ok(Frequency::Monthly),
        "YEARLY" => Ok(Frequency::Yearly),
        "SECONDLY" | "MINUTELY" | "HOURLY" => Err("Appointments repeat daily at most.".into()),
        _ => Err("FREQ is DAILY, WEEKLY, MONTHLY or YEARLY.".into()),
    }
}

fn number<T>(name: &str, value: &str, range: std::ops::RangeInclusive<T>) -> Result<T, Problem>
where
    T: std::str::FromStr + PartialOrd + fmt::Display,
{
    let wrong = || format!("{name} is a number from {} to {}.", range.start(), range.end());
    let number = value.parse().map_err(|_| wrong())?;
    if range.contains(&number) { Ok(number) } else { Err(wrong()) }
}

fn signed(name: &str, value: &str, most: i32) -> Result<i32, Problem> {
    match number(name, value.strip_prefix('+').unwrap_or(value), -most..=most)? {
        0 => Err(format!("{name} is never 0.")),
        number => Ok(number),
    }
}

fn list<T: PartialEq>(
    name: &str,
    value: &str,
    item: impl Fn(&str) -> Result<T, Problem>,
) -> Result<Vec<T>, Problem> {
    let mut items = Vec::new();
    for text in value.split(',') {
        let item = item(text)?;
        if !items.contains(&item) {
            items.push(item);
        }
    }
    if items.len() > 366 { Err(format!("{name} is too long.")) } else { Ok(items) }
}

fn weekday(value: &str) -> Result<Weekday, Problem> {
    let known = WEEKDAYS.iter().find(|(name, _)| *name == value);
    known.map(|(_, weekday)| *weekday).ok_or_else(|| "A weekday is MO, TU, WE, TH, FR, SA or SU.".into())
}

fn by_day(value: &str) -> Result<ByDay, Problem> {
    let at = value.len().checked_sub(2).filter(|at| value.is_char_boundary(*at));
    let (nth, name) = value.split_at(at.ok_or("BYDAY is a list such as MO,2TU.")?);
    let nth = if nth.is_empty() { None } else { Some(signed("BYDAY", nth, 53)?) };
    Ok(ByDay { nth, weekday: weekday(name)? })
}

fn until(value: &str, zone: Tz) -> Result<NaiveDateTime, Problem> {
    if let Some(utc) = value.strip_suffix('Z') {
        let at = NaiveDateTime::parse_from_str(utc, STAMP).map_err(|_| UNTIL)?;
        return Ok(zone::local(DateTime::from_naive_utc_and_offset(at, chrono::Utc), zone));
    }
    if let Ok(day) = NaiveDate::parse_from_str(value, "%Y%m%d") {
        return Ok(day.and_time(NaiveTime::MIN) + Duration::days(1) - Duration::seconds(1));
    }
    NaiveDateTime::parse_from_str(value, STAMP).map_err(|_| UNTIL.into())
}

const STAMP: &str = "%Y%m%dT%H%M%S";
const UNTIL: &str = "UNTIL is 20261231, 20261231T180000 or, in UTC, 20261231T170000Z.";

/// The rule as it is stored: UNTIL on the wall clock.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let frequency = match self.frequency {
            Frequency::Daily => "DAILY",
            Frequency::Weekly => "WEEKLY",
            Frequency::Monthly => "MONTHLY",
            Frequency::Yearly => "YEARLY",
        };
        write!(f, "FREQ={frequency}")?;
        if self.interval > 1 {
            write!(f, ";INTERVAL={}", self.interval)?;
        }
        match self.end {
            End::Open => {}
            End::Count(count) => write!(f, ";COUNT={count}")?,
            End::Until(until) => write!(f, ";UNTIL={}", until.format(STAMP))?,
        }
        part(f, "BYMONTH", &self.by_month)?;
        part(f, "BYMONTHDAY", &self.by_month_day)?;
        part(f, "BYDAY", &self.by_day)?;
        part(f, "BYSETPOS", &self.by_set_pos)?;
        if self.week_start != Weekday::Mon {
            write!(f, ";WKST={}", code(self.week_start))?;
        }
        Ok(())
    }
}

impl fmt::Display for ByDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(nth) = self.nth {
            write!(f, "{nth}")?;
        }
        f.write_str(code(self.weekday))
    }
}

fn part<T: fmt::Display>(f: &mut fmt::Formatter<'_>, name: &str, items: &[T]) -> fmt::Result {
    for (place, item) in items.iter().enumerate() {
        if place == 0 {
            write!(f, ";{name}={item}")?;
        } else {
            write!(f, ",{item}")?;
        }
    }
    Ok(())
}

fn code(weekday: Weekday) -> &'static str {
    WEEKDAYS.iter().find(|(_, day)| *day == weekday).map_or("MO", |(name, _)| name)
}

#[cfg(test)]
mod tests;
