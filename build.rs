//! Lists the scenario files and the recordings, so that what is in the binary is what stands in
//! `scenarios/` and `recordings/`; packs the script that draws the HTML report's charts.

use std::fmt::Write;
use std::path::{Path, PathBuf};

fn main() {
    println!("cargo::rerun-if-changed=scenarios");
    println!("cargo::rerun-if-changed=recordings");
    let root = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it"));
    let code = catalogue(&root.join("scenarios"));
    std::fs::write(out.join("catalogue.rs"), code).expect("OUT_DIR can be written");
    println!("cargo::rerun-if-changed=scenarios/runtimes");
    let code = programs(&root.join("scenarios/runtimes"));
    std::fs::write(out.join("programs.rs"), code).expect("OUT_DIR can be written");
    let code = shipped(&root.join("recordings"));
    std::fs::write(out.join("shipped.rs"), code).expect("OUT_DIR can be written");
    // The font of PNG figures comes with a crate: 757 KB, deflated 380.
    #[cfg(feature = "plot")]
    pack(dejavu::sans::regular(), &out.join("font.ttf.zlib"));
    #[cfg(feature = "report")]
    pack(chart_script().as_bytes(), &out.join("plotly.js.zlib"));
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

/// One entry a file of `scenarios/runtimes/`: its name and its text.
fn programs(dir: &Path) -> String {
    let mut code = String::from("static PROGRAMS: &[(&str, &str)] = &[\n");
    for file in sorted(dir) {
        let name = file.file_name().and_then(|n| n.to_str());
        let name = name.expect("names of programs are ASCII");
        writeln!(code, "    ({name:?}, include_str!({file:?})),")
            .expect("a string can be written to");
    }
    code.push_str("];\n");
    code
}

/// One entry a file `recordings/SET-UP/SCENARIO.jsonl.gz`.
fn shipped(dir: &Path) -> String {
    let mut code = String::from("static ENTRIES: &[Shipped] = &[\n");
    for setup in sorted(dir).into_iter().filter(|path| path.is_dir()) {
        // A file added to a folder changes the folder only.
        println!("cargo::rerun-if-changed={}", setup.display());
        for file in sorted(&setup) {
            let name = file.file_name().and_then(|n| n.to_str()).unwrap_or("");
            let Some(scenario) = name.strip_suffix(".jsonl.gz") else {
                continue;
            };
            let setup = setup.file_name().and_then(|n| n.to_str());
            let setup = setup.expect("names of set-ups are ASCII");
            let need = file.with_file_name(format!("{scenario}.need.toml"));
            let need = match need.is_file() {
                true => format!("Some(include_str!({need:?}))"),
                false => "None".to_string(),
            };
            writeln!(
                code,
                "    Shipped {{ setup: {setup:?}, scenario: {scenario:?}, \
                 packed: include_bytes!({file:?}), need: {need} }},"
            )
            .expect("a string can be written to");
        }
    }
    code.push_str("];\n");
    code
}

fn sorted(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).expect("the folder can be read");
    let mut paths: Vec<PathBuf> = entries.filter_map(|e| Some(e.ok()?.path())).collect();
    paths.sort();
    paths
}

/// Writes `bytes` deflated to `path`.
#[cfg(feature = "plot")]
fn pack(bytes: &[u8], path: &Path) {
    use std::io::Write;
    let level = flate2::Compression::best();
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), level);
    let packed = packed.write_all(bytes).and_then(|()| packed.finish());
    std::fs::write(path, packed.expect("memory can be written")).expect("OUT_DIR can be written");
}

/// The script comes inside the `plotly` crate, 4.6 MB of it. Deflated it is 1.4 MB, in the binary and
/// in every report; the page expands it with the browser's own `DecompressionStream`.
///
/// It is the first script element that the crate gives; what follows is MathJax, which no chart here
/// uses.
#[cfg(feature = "report")]
fn chart_script() -> String {
    let sources = plotly::Plot::offline_js_sources();
    let script = sources
        .split_once("<script")
        .and_then(|(_, rest)| rest.split_once('>'))
        .and_then(|(_, rest)| rest.split_once("</script>"));
    script
        .expect("the plotly crate gives its script in an element")
        .0
        .into()
}
