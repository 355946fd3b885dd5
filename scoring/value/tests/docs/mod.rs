//! Blocks of docs/scoring.md that are written by code, between `<!-- NAME:begin … -->` and `<!-- NAME:end -->`.

use std::path::Path;

/// Fails unless the block holds `text`; with `UPDATE_DOCS=1` in the environment it is rewritten instead.
#[track_caller]
pub fn block(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/scoring.md");
    let page = std::fs::read_to_string(&path).expect("docs/scoring.md");
    let (opening, closing) = (format!("<!-- {name}:begin"), format!("<!-- {name}:end -->"));
    let marked = page.find(&opening).unwrap_or_else(|| panic!("docs/scoring.md lacks {opening}"));
    let from = marked + page[marked..].find("-->\n").expect("the marker ends its line") + 4;
    let to = from + page[from..].find(&closing).unwrap_or_else(|| panic!("docs/scoring.md lacks {closing}"));
    if page[from..to].trim_end() == text.trim_end() {
        return;
    }
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let renewed = format!("{}{}\n{}", &page[..from], text.trim_end(), &page[to..]);
        return std::fs::write(&path, renewed).expect("docs/scoring.md is writable");
    }
    panic!("block {name} of docs/scoring.md is stale (UPDATE_DOCS=1 rewrites it); the code says:\n{text}");
}
