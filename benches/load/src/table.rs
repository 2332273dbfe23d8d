//! The figures, and whether they reach the goals.

use crate::drive::Sample;
use crate::queries::Query;
use crate::run::{Measured, Report};
use crate::say;
use crate::site::Engine;

/// A measure beside its goal.
pub struct Line {
    pub measure: String,
    pub unit: &'static str,
    pub values: Vec<f64>,
    pub goal: Goal,
}

#[derive(Clone, Copy, Debug)]
pub enum Goal {
    AtMost(f64),
    AtLeast(f64),
}

pub fn print(report: &Report) {
    say(&format!("\n{}, {} appointments\n", report.engine.name(), report.appointments));
    for measured in &report.queries {
        say(&summary(report.engine, measured));
    }
    say(&format!(
        "memory after the load {:.1} MB, binary {:.1} MB\n",
        report.loaded_memory as f64 / 1e3,
        report.binary
    ));
    say(HEADING);
    for line in lines(report) {
        say(&line.text());
    }
}

pub const HEADING: &str = "| measure | median (range) | goal | |\n|---|---|---|---|";

/// Both systems in one line each.
pub fn summary(engine: Engine, measured: &Measured) -> String {
    let mut text = String::new();
    for (at, system) in [(0, "praxis"), (1, "limit")] {
        let of = |samples: &[[Sample; 2]], figure: fn(&Sample) -> f64| {
            median(&samples.iter().filter_map(|pair| pair.get(at)).map(figure).collect::<Vec<_>>())
        };
        let crowded = |figure| of(&measured.crowded, figure);
        let alone = |figure| of(&measured.alone, figure);
        text += &format!(
            "{:<8} {:<11} {system:<6} {:>7.0} req/s  {:>6.0} µs CPU + {:>4.0} of PostgreSQL  p50 {:>6.2} p99 {:>6.2} ms  alone: {:>6.0} µs CPU p50 \
             {:>5.2} ms  {:.1} statements\n",
            engine.name(),
            measured.query.name(),
            crowded(|it| it.per_second),
            crowded(|it| it.cpu),
            crowded(|it| it.database),
            crowded(|it| it.p50),
            crowded(|it| it.p99),
            alone(|it| it.cpu),
            alone(|it| it.p50),
            crowded(|it| it.statements),
        );
    }
    text.truncate(text.trim_end().len());
    text
}

fn lines(report: &Report) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut add = |measure: String, unit, values: Vec<f64>, most| {
        lines.push(Line { measure, unit, values, goal: Goal::AtMost(most) });
    };
    for measured in &report.queries {
        let name = measured.query.name();
        let goals = Goals::of(measured.query, report.engine);
        add(format!("{name}: CPU ÷ limit"), "×", ratios(&measured.crowded, |it| it.cpu), goals.cpu);
        if let Some(goal) = goals.alone {
            add(
                format!("{name}: p50 on one connection ÷ limit"),
                "×",
                ratios(&measured.alone, |it| it.p50),
                goal,
            );
        }
        if let Some(goal) = goals.statements {
            let values = measured.crowded.iter().map(|[praxis, _]| praxis.statements).collect();
            add(format!("{name}: statements"), "", values, goal);
        }
    }
    add("start to ready".into(), " ms", report.start.clone(), 300.0);
    add("idle memory".into(), " MB", report.idle_memory.iter().map(|it| it / 1e3).collect(), 40.0);
    lines
}

struct Goals {
    cpu: f64,
    alone: Option<f64>,
    statements: Option<f64>,
}

impl Goals {
    fn of(query: Query, engine: Engine) -> Self {
        let (cpu, alone, statements) = match query {
            Query::Q1 => (1.8, Some(2.0), Some(3.0)),
            Query::Q1Chart => (3.0, Some(3.0), Some(4.0)),
            Query::Q2 => (2.0, Some(2.0), Some(5.0)),
            Query::Q2Chart => (2.5, Some(3.0), Some(6.0)),
            Query::Q3Chart => (2.5, None, Some(6.0)),
            Query::Q4 => (3.0, None, None),
            Query::Q5 => (1.4, None, None),
        };
        // Beside rusqlite, which is called without a hop to another thread.
        let embedded = engine == Engine::Sqlite && !matches!(query, Query::Q4 | Query::Q5);
        Self { cpu: if embedded { 4.0 } else { cpu }, alone, statements }
    }
}

fn ratios(samples: &[[Sample; 2]], figure: fn(&Sample) -> f64) -> Vec<f64> {
    samples.iter().map(|[praxis, limit]| figure(praxis) / figure(limit).max(f64::MIN_POSITIVE)).collect()
}

impl Line {
    pub fn text(&self) -> String {
        let value = median(&self.values);
        let (low, high) =
            self.values.iter().fold((f64::MAX, f64::MIN), |(low, high), it| (low.min(*it), high.max(*it)));
        let (sign, goal, short) = match self.goal {
            Goal::AtMost(goal) => ('≤', goal, value - goal),
            Goal::AtLeast(goal) => ('≥', goal, goal - value),
        };
        let unit = self.unit;
        // Nothing measured is nothing reached.
        let verdict = if short <= 0.0 { "reached".to_owned() } else { format!("short by {short:.2}{unit}") };
        let measure = &self.measure;
        format!("| {measure} | {value:.2}{unit} ({low:.2}–{high:.2}) | {sign} {goal}{unit} | {verdict} |")
    }
}

pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_reached_up_to_its_goal_and_short_beyond_it() {
        let line = |values: &[f64]| Line {
            measure: "x".into(),
            unit: "×",
            values: values.into(),
            goal: Goal::AtMost(2.0),
        };
        assert_eq!(line(&[9.0, 1.0, 2.0]).text(), "| x | 2.00× (1.00–9.00) | ≤ 2× | reached |");
        assert!(line(&[2.5, 2.5, 1.0]).text().ends_with("short by 0.50× |"));
    }
}
