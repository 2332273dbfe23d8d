//! Sets of instants, as sorted half-open intervals in microseconds since the epoch.

use chrono::{DateTime, Utc};

/// Microseconds of a minute.
pub const MINUTE: i64 = 60_000_000;
/// Microseconds of a day of 24 hours.
pub const DAY: i64 = 1_440 * MINUTE;

/// From `start` on, before `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    pub start: i64,
    pub end: i64,
}

impl Span {
    pub fn new(start: i64, end: i64) -> Self {
        Self { start, end }
    }

    pub fn between(from: DateTime<Utc>, to: DateTime<Utc>) -> Self {
        Self::new(from.timestamp_micros(), to.timestamp_micros())
    }

    pub fn is_empty(self) -> bool {
        self.end <= self.start
    }

    pub fn overlaps(self, other: Self) -> bool {
        self.start < other.end && other.start < self.end
    }

    pub fn contains(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    pub fn cut(self, to: Self) -> Self {
        Self::new(self.start.max(to.start), self.end.min(to.end))
    }

    /// Wider by so much on either side.
    pub fn padded(self, before: i64, after: i64) -> Self {
        Self::new(self.start.saturating_sub(before), self.end.saturating_add(after))
    }
}

/// The instant of so many microseconds; what lies beyond the calendar is cut off at its ends.
pub fn instant(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or(if micros < 0 {
        DateTime::<Utc>::MIN_UTC
    } else {
        DateTime::<Utc>::MAX_UTC
    })
}

/// Whether an instant is in a time that anybody means: both engines store it, and no sum leaves the calendar.
pub fn is_near(at: DateTime<Utc>) -> bool {
    (1900..=2200).contains(&chrono::Datelike::year(&at))
}

/// Sorted, without empty ones, and with those that touch or overlap put together.
pub fn merged(mut spans: Vec<Span>) -> Vec<Span> {
    spans.retain(|span| !span.is_empty());
    spans.sort_unstable();
    let mut merged: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match merged.last_mut() {
            Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
            _ => merged.push(span),
        }
    }
    merged
}

/// What is in the first set and not in the second. Both are merged, and so is the answer.
pub fn without(spans: &[Span], taken: &[Span]) -> Vec<Span> {
    let mut left = Vec::with_capacity(spans.len());
    let mut next = 0;
    for span in spans {
        while next < taken.len() && taken[next].end <= span.start {
            next += 1;
        }
        let mut start = span.start;
        for hole in &taken[next..] {
            if hole.start >= span.end {
                break;
            }
            if hole.start > start {
                left.push(Span::new(start, hole.start));
            }
            start = start.max(hole.end);
        }
        if start < span.end {
            left.push(Span::new(start, span.end));
        }
    }
    left
}

/// What is in both sets. Both are merged, and so is the answer.
pub fn common(left: &[Span], right: &[Span]) -> Vec<Span> {
    let mut common = Vec::new();
    let (mut i, mut j) = (0, 0);
    while i < left.len() && j < right.len() {
        let both = left[i].cut(right[j]);
        if !both.is_empty() {
            common.push(both);
        }
        if left[i].end < right[j].end {
            i += 1;
        } else {
            j += 1;
        }
    }
    common
}

/// Whether the instant is in the set.
pub fn holds(spans: &[Span], at: i64) -> bool {
    let after = spans.partition_point(|span| span.end <= at);
    spans.get(after).is_some_and(|span| span.start <= at)
}

/// How much time is in the set.
pub fn total(spans: &[Span]) -> i64 {
    spans.iter().map(|span| span.end - span.start).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sets() -> impl Strategy<Value = (Vec<Span>, Vec<Span>)> {
        let spans = || {
            prop::collection::vec((0i64..60, 0i64..12), 0..8)
                .prop_map(|spans| spans.into_iter().map(|(at, long)| Span::new(at, at + long)).collect())
        };
        (spans(), spans())
    }

    fn inside(spans: &[Span], at: i64) -> bool {
        spans.iter().any(|span| span.start <= at && at < span.end)
    }

    proptest! {
        #[test]
        fn sets_of_intervals_are_sets_of_instants((left, right) in sets()) {
            let (a, b) = (merged(left.clone()), merged(right.clone()));
            let (difference, intersection) = (without(&a, &b), common(&a, &b));
            for at in 0..80 {
                prop_assert_eq!(inside(&a, at), inside(&left, at));
                prop_assert_eq!(holds(&a, at), inside(&left, at));
                prop_assert_eq!(inside(&difference, at), inside(&a, at) && !inside(&b, at));
                prop_assert_eq!(inside(&intersection, at), inside(&a, at) && inside(&b, at));
            }
            for set in [&a, &difference] {
                prop_assert!(set.windows(2).all(|pair| pair[0].end < pair[1].start));
            }
        }
    }
}
