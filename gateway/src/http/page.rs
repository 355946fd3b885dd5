//! The subnet at a glance: one page without scripts or anything from elsewhere.
//!
//! Invariant: everything that miners chose is escaped.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Html;

use super::App;
use crate::collective::directory::{Miner, Roster};

const HEAD: &str = "<!doctype html><html lang=en><head><meta charset=utf-8><title>Acumen</title>\
<meta name=viewport content='width=device-width'><meta http-equiv=refresh content=5><style>\
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}\
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ddd}\
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}code,pre{background:#f4f4f4;padding:.1rem .3rem}\
pre{padding:.8rem;overflow:auto}.bar{display:inline-block;height:.7rem;background:#468}\
@media(prefers-color-scheme:dark){body{color:#ddd;background:#161616}code,pre{background:#222}td,th{border-color:#333}}\
</style></head><body>";

pub(super) async fn page(State(app): State<Arc<App>>) -> Html<String> {
    Html(render(&app.collective.roster(), &app.limits.model))
}

fn render(roster: &Roster, model: &str) -> String {
    let total: f64 = roster.miners.iter().map(|miner| miner.weight).sum();
    let rows: String = roster.miners.iter().map(|miner| row(miner, total)).collect();
    let model = escape(model);
    format!(
        "{HEAD}<h1>Acumen</h1>{}<table><tr><th class=n>uid<th>model<th>hotkey<th class=n>weight<th>\
         <th class=n>incentive<th class=n>bits/byte</tr>{rows}</table><p>Weights from {}, block {} <code>{}</code>.</p>\
         <h2>Ask it</h2><pre>curl -s HOST/v1/completions -H 'content-type: application/json' \\\n  \
         -d '{{\"model\":\"{model}\",\"prompt\":\"Fellow-citizens of the \",\"max_tokens\":64}}'</pre>\
         <p><a href=/v1/models>models</a> · <a href=/ready>ready</a> · <a href=/metrics>metrics</a></p></body></html>",
        summary(roster),
        source(roster),
        roster.height,
        roster.block,
    )
}

/// Collective against the best single miner.
fn summary(roster: &Roster) -> String {
    let single = roster.miners.iter().filter_map(|miner| miner.bits_per_byte).min_by(f64::total_cmp);
    match (roster.collective_bits_per_byte, single) {
        _ if roster.miners.is_empty() => "<p>No miner is known yet.</p>".to_owned(),
        (Some(collective), Some(single)) => format!(
            "<p>{} miners answer as one: <strong>{collective:.3} bits per byte</strong> on held-out text, the best \
             single miner {single:.3}.</p>",
            roster.miners.len()
        ),
        _ => format!("<p>{} miners answer as one.</p>", roster.miners.len()),
    }
}

fn source(roster: &Roster) -> String {
    use crate::collective::directory::WeightSource as Source;
    match roster.source {
        Source::Validators => format!("the reports of {} validators", roster.validators),
        Source::Incentive => "incentive on the chain".to_owned(),
        Source::Equal => "nobody yet: all equal".to_owned(),
        Source::None => "nowhere yet".to_owned(),
    }
}

fn row(miner: &Miner, total: f64) -> String {
    let share = if total > 0.0 { miner.weight / total } else { 0.0 };
    let bits = miner.bits_per_byte.map_or_else(|| "–".to_owned(), |bits| format!("{bits:.3}"));
    format!(
        "<tr><td class=n>{}<td>{}<td><code>{}</code><td class=n>{:.1} %<td><span class=bar style='width:{:.1}rem'>\
         </span><td class=n>{:.4}<td class=n>{bits}</tr>",
        miner.uid,
        escape(&miner.model),
        escape(&miner.hotkey.to_string()),
        share * 100.0,
        share * 10.0,
        f64::from(miner.incentive) / f64::from(u16::MAX),
    )
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use acumen_protocol::call::Endpoint;
    use acumen_protocol::{AccountId, Hash, Uid};

    use super::*;

    #[test]
    fn what_miners_chose_is_escaped() {
        let miner = Miner {
            uid: Uid::new(3),
            hotkey: AccountId([1; 32]),
            endpoint: Endpoint::new("http://127.0.0.1:1", Hash::ZERO, None).unwrap(),
            model: "<script>'\"&".to_owned(),
            weight: 1.0,
            incentive: u16::MAX,
            bits_per_byte: Some(2.5),
        };
        let roster =
            Roster { collective_bits_per_byte: Some(2.25), miners: vec![miner], ..Roster::default() };
        let page = render(&roster, "acumen-bytes");
        assert!(page.contains("&lt;script&gt;&#39;&quot;&amp;") && !page.contains("<script"));
        assert!(page.contains("2.250 bits per byte") && page.contains("single miner 2.500"));
    }
}
