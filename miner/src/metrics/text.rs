//! The page in Prometheus' own text format (0.0.4), made from OpenMetrics text.
//!
//! The two differ in where a counter's `_total` belongs (to the name here, to the sample there), in `# UNIT`, which this
//! format lacks, and in `# EOF`, which it does not end with. `promtool check metrics` reads this one.

/// What the format calls itself.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Translates a page.
pub(crate) fn from_open_metrics(page: &str) -> String {
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
