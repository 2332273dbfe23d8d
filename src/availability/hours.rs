//! Working hours: what weekly rules and dated exceptions make of a stretch of time.
//!
//! `((weekly rules − the practice's closing times) ∪ extra hours) − own time off`. Extra hours are open although
//! the practice is closed; own time off always wins.

use std::collections::BTreeMap;

use chrono::{Datelike, NaiveDate};
use chrono_tz::Tz;

use super::local::Timeline;
use super::spans::{Span, common, merged, without};
use crate::id::LocationId;

/// One interval of a weekly schedule.
#[derive(Clone, Debug)]
pub struct Rule {
    pub zone: Tz,
    /// ISO: Monday is 1, Sunday is 7.
    pub weekday: u32,
    /// Minutes since midnight on the wall.
    pub minutes: (i32, i32),
    pub pause: Option<(i32, i32)>,
    /// The first and the last day it holds on.
    pub from: Option<NaiveDate>,
    pub until: Option<NaiveDate>,
    pub location: Option<LocationId>,
}

/// Dated time that is taken away.
#[derive(Clone, Copy, Debug)]
pub struct Closed {
    pub span: Span,
    /// Only there; everywhere when none is named.
    pub location: Option<LocationId>,
}

/// Dated time that is added.
#[derive(Clone, Copy, Debug)]
pub struct Extra {
    pub span: Span,
    pub zone: Tz,
    pub location: Option<LocationId>,
}

/// When one practitioner works.
#[derive(Clone, Debug, Default)]
pub struct Hours {
    /// None for a practitioner without any weekly schedule, who can be booked at any time.
    pub rules: Option<Vec<Rule>>,
    pub extra: Vec<Extra>,
    pub time_off: Vec<Closed>,
}

/// A stretch of working time at one place, on one clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub span: Span,
    pub zone: Tz,
    pub location: Option<LocationId>,
}

/// The clocks that are needed, each looked at once.
#[derive(Clone, Debug)]
pub struct Clocks {
    span: Span,
    /// Where nothing else is said.
    pub home: Tz,
    timelines: Vec<Timeline>,
}

impl Clocks {
    pub fn new(span: Span, home: Tz, others: impl IntoIterator<Item = Tz>) -> Self {
        let mut clocks = Self { span, home, timelines: vec![Timeline::new(home, span)] };
        for zone in others {
            if !clocks.timelines.iter().any(|known| known.zone == zone) {
                clocks.timelines.push(Timeline::new(zone, span));
            }
        }
        clocks
    }

    pub fn span(&self) -> Span {
        self.span
    }

    pub fn at_home(&self) -> &Timeline {
        &self.timelines[0]
    }

    /// The offsets of a zone; those of the practice for one that was not named.
    pub fn of(&self, zone: Tz) -> &Timeline {
        self.timelines.iter().find(|known| known.zone == zone).unwrap_or(&self.timelines[0])
    }
}

impl Hours {
    /// The windows in which the practitioner works at the place asked for, or anywhere, by their start.
    ///
    /// `closings` are the times at which the practice is closed.
    pub fn windows(&self, closings: &[Closed], clocks: &Clocks, at: Option<LocationId>) -> Vec<Window> {
        let span = clocks.span();
        let mut weekly = Vec::new();
        match &self.rules {
            None => weekly.push(Window { span, zone: clocks.home, location: None }),
            Some(rules) => {
                for rule in rules.iter().filter(|rule| serves(rule.location, at)) {
                    rule.expand(clocks, &mut weekly);
                }
            }
        }
        let extra = self.extra.iter().filter(|extra| serves(extra.location, at));
        let extra: Vec<Window> = extra
            .map(|extra| Window { span: extra.span.cut(span), zone: extra.zone, location: extra.location })
            .collect();
        let mut open = less(weekly, closings, at);
        open.extend(less(extra, &[], at));
        let mut open = less(open, &self.time_off, at);
        open.sort_unstable_by_key(|window| (window.span, window.location));
        open
    }
}

impl Rule {
    fn expand(&self, clocks: &Clocks, windows: &mut Vec<Window>) {
        let timeline = clocks.of(self.zone);
        for date in timeline.dates(clocks.span()) {
            let valid =
                self.from.is_none_or(|from| from <= date) && self.until.is_none_or(|until| date <= until);
            if !valid || date.weekday().number_from_monday() != self.weekday {
                continue;
            }
            let (start, end) = self.minutes;
            let parts = match self.pause {
                Some((pause, back)) => [(start, pause), (back, end)],
                None => [(start, end), (end, end)],
            };
            for (from, to) in parts {
                let spans = timeline.window(date, from, to).map(|span| span.cut(clocks.span()));
                let spans = spans.filter(|span| !span.is_empty());
                windows.extend(spans.map(|span| Window { span, zone: self.zone, location: self.location }));
            }
        }
    }
}

/// Whether hours at this place serve somebody who asks for that one.
fn serves(here: Option<LocationId>, asked: Option<LocationId>) -> bool {
    match (here, asked) {
        (Some(here), Some(asked)) => here == asked,
        _ => true,
    }
}

/// The windows without what closes them.
fn less(windows: Vec<Window>, closed: &[Closed], at: Option<LocationId>) -> Vec<Window> {
    if closed.is_empty() {
        return windows;
    }
    let mut left = Vec::with_capacity(windows.len());
    for window in windows {
        let place = window.location.or(at);
        let holes: Vec<Span> = closed
            .iter()
            .filter(|closed| closed.location.is_none() || closed.location == place)
            .filter(|closed| closed.span.overlaps(window.span))
            .map(|closed| closed.span)
            .collect();
        let parts = without(&[window.span], &merged(holes));
        left.extend(parts.into_iter().map(|span| Window { span, ..window }));
    }
    left
}

/// The times in which a whole appointment fits, place by place: hours at one place may follow one another,
/// hours at two places are not one stretch. Where one place was asked for, all hours are at it.
pub fn stretches(windows: &[Window], at: Option<LocationId>) -> BTreeMap<Option<LocationId>, Vec<Span>> {
    let mut stretches: BTreeMap<Option<LocationId>, Vec<Span>> = BTreeMap::new();
    for window in windows {
        stretches.entry(at.or(window.location)).or_default().push(window.span);
    }
    for spans in stretches.values_mut() {
        *spans = merged(std::mem::take(spans));
    }
    stretches
}

/// All the time of the windows within a span, wherever it is.
pub fn within(windows: &[Window], span: Span) -> Vec<Span> {
    common(&merged(windows.iter().map(|window| window.span).collect()), &[span])
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use uuid::Uuid;

    use super::*;
    use crate::availability::spans::{MINUTE, instant, total};

    fn utc(text: &str) -> i64 {
        format!("{text}:00Z").parse::<DateTime<Utc>>().unwrap().timestamp_micros()
    }

    fn span(from: &str, to: &str) -> Span {
        Span::new(utc(from), utc(to))
    }

    fn rule(zone: &str, weekday: u32, from: i32, to: i32) -> Rule {
        Rule {
            zone: zone.parse().unwrap(),
            weekday,
            minutes: (from * 60, to * 60),
            pause: None,
            from: None,
            until: None,
            location: None,
        }
    }

    fn clocks(span: Span, zone: &str) -> Clocks {
        Clocks::new(span, Tz::UTC, [zone.parse().unwrap()])
    }

    fn place(number: u128) -> Option<LocationId> {
        Some(LocationId(Uuid::from_u128(number)))
    }

    fn open(hours: &Hours, closings: &[Closed], clocks: &Clocks) -> Vec<(String, String)> {
        let text = |at| instant(at).format("%d %H:%M").to_string();
        let spans = within(&hours.windows(closings, clocks, None), clocks.span());
        spans.iter().map(|span| (text(span.start), text(span.end))).collect()
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(from, to)| ((*from).into(), (*to).into())).collect()
    }

    #[test]
    fn nine_stays_nine_in_the_week_after_the_change_of_clocks() {
        let hours = Hours { rules: Some(vec![rule("Europe/Berlin", 1, 9, 17)]), ..Hours::default() };
        let clocks = clocks(span("2027-03-20T00:00", "2027-04-03T00:00"), "Europe/Berlin");
        assert_eq!(open(&hours, &[], &clocks), pairs(&[("22 08:00", "22 16:00"), ("29 07:00", "29 15:00")]));
    }

    #[test]
    fn hours_that_cross_midnight_in_utc_lose_nothing() {
        for zone in
            ["Pacific/Auckland", "Pacific/Kiritimati", "Etc/GMT+12", "America/Los_Angeles", "Asia/Kathmandu"]
        {
            let rules = (1..=7).map(|weekday| rule(zone, weekday, 9, 17)).collect();
            let hours = Hours { rules: Some(rules), ..Hours::default() };
            let clocks = clocks(span("2026-06-01T00:00", "2026-06-29T00:00"), zone);
            let spans = within(&hours.windows(&[], &clocks, None), clocks.span());
            assert_eq!(total(&spans) / MINUTE, 28 * 8 * 60, "{zone}");
        }
    }

    #[test]
    fn a_pause_is_not_working_time_and_both_sides_of_it_are() {
        let mut monday = rule("UTC", 1, 9, 17);
        monday.pause = Some((12 * 60, 13 * 60));
        let hours = Hours { rules: Some(vec![monday]), ..Hours::default() };
        let clocks = clocks(span("2026-06-01T00:00", "2026-06-02T00:00"), "UTC");
        assert_eq!(open(&hours, &[], &clocks), pairs(&[("01 09:00", "01 12:00"), ("01 13:00", "01 17:00")]));
    }

    #[test]
    fn a_rule_holds_from_its_first_to_its_last_day() {
        let mut daily: Vec<Rule> = (1..=7).map(|weekday| rule("UTC", weekday, 9, 10)).collect();
        for rule in &mut daily {
            rule.from = "2026-06-02".parse().ok();
            rule.until = "2026-06-03".parse().ok();
        }
        let hours = Hours { rules: Some(daily), ..Hours::default() };
        let clocks = clocks(span("2026-06-01T00:00", "2026-06-06T00:00"), "UTC");
        assert_eq!(open(&hours, &[], &clocks), pairs(&[("02 09:00", "02 10:00"), ("03 09:00", "03 10:00")]));
    }

    #[test]
    fn time_off_over_several_days_blocks_the_days_in_the_middle() {
        let rules = (1..=5).map(|weekday| rule("UTC", weekday, 9, 17)).collect();
        let off = Closed { span: span("2026-06-01T14:00", "2026-06-04T11:00"), location: None };
        let hours = Hours { rules: Some(rules), time_off: vec![off], ..Hours::default() };
        let clocks = clocks(span("2026-06-01T00:00", "2026-06-06T00:00"), "UTC");
        assert_eq!(
            open(&hours, &[], &clocks),
            pairs(&[("01 09:00", "01 14:00"), ("04 11:00", "04 17:00"), ("05 09:00", "05 17:00")])
        );
    }

    #[test]
    fn time_off_on_a_day_ends_the_night_before_it_at_midnight() {
        let rules = vec![rule("UTC", 1, 22, 24), rule("UTC", 2, 0, 6)];
        let clocks = clocks(span("2026-06-01T00:00", "2026-06-03T00:00"), "UTC");
        let mut hours = Hours { rules: Some(rules), ..Hours::default() };
        assert_eq!(open(&hours, &[], &clocks), pairs(&[("01 22:00", "02 06:00")]));
        let tuesday = span("2026-06-02T00:00", "2026-06-03T00:00");
        hours.time_off.push(Closed { span: tuesday, location: None });
        assert_eq!(open(&hours, &[], &clocks), pairs(&[("01 22:00", "02 00:00")]));
    }

    #[test]
    fn extra_hours_are_open_on_a_holiday_and_own_time_off_wins_over_them() {
        let clocks = clocks(span("2026-06-01T00:00", "2026-06-02T00:00"), "UTC");
        let holiday = Closed { span: clocks.span(), location: None };
        let extra =
            Extra { span: span("2026-06-01T18:00", "2026-06-01T20:00"), zone: Tz::UTC, location: None };
        let mut hours =
            Hours { rules: Some(vec![rule("UTC", 1, 9, 17)]), extra: vec![extra], ..Hours::default() };
        assert_eq!(open(&hours, &[holiday], &clocks), pairs(&[("01 18:00", "01 20:00")]));
        hours.time_off.push(Closed { span: span("2026-06-01T19:00", "2026-06-01T22:00"), location: None });
        assert_eq!(open(&hours, &[holiday], &clocks), pairs(&[("01 18:00", "01 19:00")]));
    }

    #[test]
    fn without_any_schedule_every_time_is_open_but_holidays_and_time_off() {
        let clocks = clocks(span("2026-06-01T00:00", "2026-06-03T00:00"), "UTC");
        let off = Closed { span: span("2026-06-01T12:00", "2026-06-01T13:00"), location: None };
        let holiday = Closed { span: span("2026-06-02T00:00", "2026-06-03T00:00"), location: None };
        let hours = Hours { time_off: vec![off], ..Hours::default() };
        assert_eq!(
            open(&hours, &[holiday], &clocks),
            pairs(&[("01 00:00", "01 12:00"), ("01 13:00", "02 00:00")])
        );
    }

    #[test]
    fn hours_at_two_places_are_not_one_stretch() {
        let clocks = clocks(span("2026-06-01T00:00", "2026-06-02T00:00"), "UTC");
        let mut rules = vec![rule("UTC", 1, 9, 12), rule("UTC", 1, 12, 15), rule("UTC", 1, 15, 18)];
        (rules[0].location, rules[1].location) = (place(1), place(2));
        let hours = Hours { rules: Some(rules), ..Hours::default() };
        let anywhere = stretches(&hours.windows(&[], &clocks, None), None);
        assert_eq!(anywhere.len(), 3);
        // The hours without a place serve the place that is asked for.
        let there = stretches(&hours.windows(&[], &clocks, place(2)), place(2));
        assert_eq!(there[&place(2)], [span("2026-06-01T12:00", "2026-06-01T18:00")]);
        // And are closed where that place is.
        let closed = Closed { span: span("2026-06-01T14:00", "2026-06-01T16:00"), location: place(2) };
        let there = stretches(&hours.windows(&[closed], &clocks, place(2)), place(2));
        assert_eq!(there[&place(2)].len(), 2);
        assert_eq!(stretches(&hours.windows(&[closed], &clocks, None), None)[&None].len(), 1);
    }
}
