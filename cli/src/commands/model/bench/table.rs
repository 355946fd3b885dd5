//! The measurements for people.

use std::path::Path;

use anyhow::Result;

use super::{Figures, Plan, What, median};
use crate::output;

/// Prints a row for each engine, and what the memory allows.
pub(super) fn print(
    model: &Path,
    plan: &Plan,
    rounds: usize,
    rows: &[(String, Figures)],
    reads: &[Option<usize>],
    bandwidth: f64,
    notes: &[String],
) -> Result<()> {
    output::line(format_args!(
        "{}: tokens/s, median of {rounds} rounds; {} threads, prompts of {} tokens, {} new tokens each",
        model.display(),
        plan.threads,
        plan.prompt,
        plan.steps
    ))?;
    let columns: Vec<What> =
        std::iter::once(What::Prefill).chain(plan.batches.iter().map(|batch| What::Decode(*batch))).collect();
    let heads: String = columns.iter().map(|what| format!("{:>12}", head(*what))).collect();
    output::line(format_args!("{:20}{heads}", ""))?;
    for (name, figures) in rows {
        let cells: String = columns.iter().map(|what| cell(figures.get(what))).collect();
        output::line(format_args!("{name:20}{cells}"))?;
    }
    output::line(format_args!("memory is read at {:.1} GB/s", bandwidth / 1e9))?;
    for ((name, figures), bytes) in rows.iter().zip(reads) {
        let (Some(bytes), Some(values)) = (bytes, figures.get(&What::Decode(1))) else { continue };
        let most = bandwidth / *bytes as f64;
        output::line(format_args!(
            "{name}: one sequence reads {:.0} MB a step, at most {most:.0} tokens/s; {:.0} % of that",
            *bytes as f64 / 1e6,
            100.0 * median(values) / most
        ))?;
    }
    notes.iter().try_for_each(|note| output::line(format_args!("not measured: {note}")))
}

fn head(what: What) -> String {
    match what {
        What::Prefill => "prefill".into(),
        What::Decode(batch) => format!("decode × {batch}"),
    }
}

fn cell(values: Option<&Vec<f64>>) -> String {
    values.map_or_else(|| format!("{:>12}", "–"), |values| format!("{:>12.1}", median(values)))
}
