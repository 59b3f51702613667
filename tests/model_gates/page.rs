//! Tables of docs/model.md that tests make: between `<!-- NAME -->` and `<!-- /NAME -->`.
//!
//! `MEMTIDE_UPDATE=1 cargo test --test model_gates` writes them anew.

use std::path::Path;
use std::sync::Mutex;

/// The page has this text below this name; with `MEMTIDE_UPDATE` it is written there.
pub fn hold(name: &str, text: &str) {
    // Tests run at the same time, and each writes its own part.
    static ONE: Mutex<()> = Mutex::new(());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/model.md");
    let guard = ONE.lock();
    let page = std::fs::read_to_string(&path).unwrap();
    let (open, close) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let start = page
        .find(&open)
        .unwrap_or_else(|| panic!("{open} is missing"))
        + open.len();
    let end = start
        + page[start..]
            .find(&close)
            .unwrap_or_else(|| panic!("{close} is missing"));
    let want = format!("\n{}\n\n", text.trim_end());
    if std::env::var_os("MEMTIDE_UPDATE").is_some() {
        let page = format!("{}{want}{}", &page[..start], &page[end..]);
        std::fs::write(&path, page).unwrap();
        return;
    }
    drop(guard);
    assert_eq!(
        &page[start..end],
        want,
        "docs/model.md is stale; run MEMTIDE_UPDATE=1 cargo test --test model_gates"
    );
}

/// The page as it is.
pub fn text() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/model.md")).unwrap()
}
