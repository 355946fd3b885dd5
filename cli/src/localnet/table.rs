//! An epoch of a localnet as a table that a person enjoys reading.

use std::fmt::Write as _;

use super::plan::Plan;
use super::report::{EpochReport, Line};
use crate::commands::amounts::share;

/// Width of the bar that stands for an incentive of 1.
const BAR: usize = 20;

/// The table of one epoch.
pub(crate) fn render(report: &EpochReport, plan: &Plan) -> String {
    let record = &report.record;
    let mut text = format!(
        "\nepoch {}  block {}  minted {}  burned {}  issuance {}\n",
        record.epoch,
        record.height,
        record.minted.to_acu_string(),
        record.burned.to_acu_string(),
        record.issuance.to_acu_string()
    );
    text.push_str("  uid  name               nats/byte  own gain  marginal  reward  weight   emission ACU  incentive / dividend\n");
    for line in report.lines(plan) {
        push_line(&mut text, &line);
    }
    if let Some(collective) = report.collective() {
        let best = report
            .lines(plan)
            .iter()
            .filter_map(|line| line.measured.as_ref().map(|measured| measured.held_out_bits_per_byte))
            .filter(|bits| bits.is_finite() && *bits > 0.0)
            .min_by(f64::total_cmp);
        let best = best.map_or(String::new(), |best| format!(", the best miner alone {best:.3}"));
        let _ = writeln!(text, "  held-out text: the collective {collective:.3} bits per byte{best}");
    }
    text
}

fn push_line(text: &mut String, line: &Line) {
    let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3}"));
    let measured = line.measured.as_ref();
    let part = share(line.row.incentive.max(line.row.dividend));
    let bar = bar(part, if line.row.incentive > 0 { '█' } else { '░' });
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "{:>5}  {:18} {:>9}  {:>8}  {:>8}  {:>6}  {:>6}  {:>13.6}  {part:.4} {bar}",
        line.row.uid,
        line.name,
        number(measured.map(|m| m.nats_per_byte)),
        number(measured.map(|m| m.own_gain)),
        number(measured.map(|m| m.marginal)),
        number(measured.map(|m| m.reward)),
        measured.map_or_else(|| "-".to_owned(), |m| format!("{:.0}", m.weight)),
        acu(line.row.emission),
    );
}

#[allow(clippy::cast_precision_loss, reason = "shown with six decimals")]
fn acu(amount: acumen_protocol::Nacu) -> f64 {
    amount.get() as f64 / acumen_protocol::Nacu::PER_ACU as f64
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "0 to BAR"
)]
fn bar(share: f64, symbol: char) -> String {
    std::iter::repeat_n(symbol, (share.clamp(0.0, 1.0) * BAR as f64).round() as usize).collect()
}
