//! Lists the scenario files, so that the catalogue is what stands in `scenarios/`.

use std::fmt::Write;
use std::path::{Path, PathBuf};

fn main() {
    println!("cargo::rerun-if-changed=scenarios");
    let root = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it"));
    let code = catalogue(&root.join("scenarios"));
    std::fs::write(out.join("catalogue.rs"), code).expect("OUT_DIR can be written");
}

fn catalogue(dir: &Path) -> String {
    let entries = std::fs::read_dir(dir).expect("scenarios/ can be read");
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "toml"))
        .collect();
    files.sort();
    let mut code = String::from("static ENTRIES: &[CatalogueEntry] = &[\n");
    for file in files {
        let name = file.file_stem().and_then(|n| n.to_str());
        let name = name.expect("scenario names are ASCII");
        writeln!(
            code,
            "    CatalogueEntry {{ name: {name:?}, text: include_str!({file:?}) }},"
        )
        .expect("a string can be written to");
    }
    code.push_str("];\n");
    code
}
