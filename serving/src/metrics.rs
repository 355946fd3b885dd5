//! A page of metrics in the format that the reader asks for: OpenMetrics, or Prometheus' own text format (0.0.4).
//!
//! The two differ in where a counter's `_total` belongs (to the sample there, to the name here), in `# UNIT`, which the
//! older one lacks, and in `# EOF`, which it does not end with. `promtool check metrics` reads the older one.

use std::fmt;

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// What OpenMetrics text calls itself.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What Prometheus' own format calls itself.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The answer to a scrape with these request headers; `page` is OpenMetrics text.
#[must_use]
pub fn page(page: Result<String, fmt::Error>, headers: &HeaderMap) -> Response {
    let open = headers
        .get_all(header::ACCEPT)
        .iter()
        .any(|accept| accept.to_str().is_ok_and(|accept| accept.contains("application/openmetrics-text")));
    match page {
        Ok(page) if open => ([(header::CONTENT_TYPE, OPEN_METRICS)], page).into_response(),
        Ok(page) => ([(header::CONTENT_TYPE, TEXT)], from_open_metrics(&page)).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// Translates a page.
fn from_open_metrics(page: &str) -> String {
    let mut text = String::with_capacity(page.len());
    let mut help: Option<(&str, &str)> = None;
    for line in page.lines() {
        if let Some(described) = line.strip_prefix("# HELP ") {
            help = described.split_once(' ');
        } else if let Some(typed) = line.strip_prefix("# TYPE ") {
            let Some((name, kind)) = typed.split_once(' ') else { continue };
            let (suffix, kind) = match kind {
                "counter" => ("_total", kind),
                "unknown" => ("", "untyped"),
                _ => ("", kind),
            };
            if let Some((_, words)) = help.take().filter(|(described, _)| *described == name) {
                text.push_str(&format!("# HELP {name}{suffix} {words}\n"));
            }
            text.push_str(&format!("# TYPE {name}{suffix} {kind}\n"));
        } else if !line.starts_with('#') {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_carry_their_suffix_in_the_name() {
        let page = "# HELP a_b Things.\n# TYPE a_b counter\na_b_total{x=\"1\"} 3\n# HELP c Now.\n# UNIT c seconds\n\
                    # TYPE c gauge\nc 1\n# TYPE d unknown\nd 2\n# EOF\n";
        let expected = "# HELP a_b_total Things.\n# TYPE a_b_total counter\na_b_total{x=\"1\"} 3\n\
                        # HELP c Now.\n# TYPE c gauge\nc 1\n# TYPE d untyped\nd 2\n";
        assert_eq!(from_open_metrics(page), expected);
    }
}
