//! The container image: what it is, and that scenarios run in it with no rights at all.

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use memtide::recording;

const TARGET: &str = "x86_64-unknown-linux-musl";

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Whether an image can be built from a program that is built here, by this machine's Rust.
fn is_static_here(test: &str) -> bool {
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).output();
    let sysroot = sysroot.map(|o| text(&o.stdout)).unwrap_or_default();
    let targets = Path::new(sysroot.trim()).join("lib/rustlib");
    let is_there = targets.join(TARGET).is_dir();
    if !is_there {
        common::skip(test, &format!("this Rust can't build for {TARGET}"));
    }
    is_there
}

/// Runs `scripts/image`, which builds the program itself where none is given.
fn build(tag: &str, program: Option<&Path>) -> Output {
    let mut script = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/image"));
    script.args(["--tool", "podman", "--tag", tag]);
    if let Some(program) = program {
        script.arg("--binary").arg(program);
    }
    script.output().unwrap()
}

/// An image of this test's own, removed when dropped.
struct Image {
    tag: String,
    log: tempfile::TempDir,
}

impl Image {
    fn build(test: &str) -> Option<Self> {
        if !common::has_program(test, "podman") || !common::has_program(test, "runc") {
            return None;
        }
        let given = std::env::var_os("MEMTIDE_STATIC").map(PathBuf::from);
        if given.is_none() && !is_static_here(test) {
            return None;
        }
        let tag = format!("localhost/memtide-{test}-{}:test", std::process::id());
        let log = tempfile::tempdir_in("/var/tmp").unwrap();
        // As an emptyDir is: any user may write.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        std::fs::set_permissions(log.path(), open).unwrap();
        // Before it is built: a build that fails half way leaves nothing either.
        let image = Image { tag, log };
        let output = build(&image.tag, given.as_deref());
        assert!(output.status.success(), "{}", text(&output.stderr));
        let tried = image.run("64m", &["--version"]);
        if !tried.status.success() {
            let why = text(&tried.stderr).trim().replace('\n', " ");
            common::skip(test, &format!("podman can't run: {why}"));
            return None;
        }
        Some(image)
    }

    /// Runs it as its own user, read-only, with no capability and no way to get one.
    fn run(&self, memory: &str, arguments: &[&str]) -> Output {
        common::podman_run(memory)
            .args(["--security-opt", "no-new-privileges"])
            // The runtime's own 64 MiB are too few for tmpfs-fill; a pod has a volume there.
            .args(["--shm-size", memory])
            .arg("-v")
            .arg(format!("{}:/data/log", self.log.path().display()))
            .arg(&self.tag)
            .args(arguments)
            .output()
            .unwrap()
    }

    fn inspect(&self, format: &str) -> String {
        let output = common::podman()
            .args(["image", "inspect", "--format", format, &self.tag])
            .output()
            .unwrap();
        text(&output.stdout).trim().to_string()
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        let _ = common::podman().args(["rmi", "-f", &self.tag]).output();
    }
}

#[test]
fn the_image_is_small_and_nobodys_and_says_what_it_is() {
    let _one = common::podman_alone();
    let before = common::has_program("image-is", "podman").then(common::podman_images);
    let Some(image) = Image::build("image-is") else {
        return;
    };
    let bytes: u64 = image.inspect("{{.Size}}").parse().unwrap();
    assert!(bytes < 15_000_000, "{bytes}");
    assert_eq!(image.inspect("{{.Config.User}}"), "65532:65532");
    assert_eq!(image.inspect("{{.Config.Entrypoint}}"), "[/memtide]");
    let labels = image.inspect("{{.Config.Labels}}");
    let version = env!("CARGO_PKG_VERSION");
    assert!(
        labels.contains(&format!("image.version:{version}")),
        "{labels}"
    );
    assert!(labels.contains("image.licenses:MIT"), "{labels}");
    drop(image);
    assert_eq!(Some(common::podman_images()), before);
}

#[test]
fn an_image_that_is_too_large_is_refused_and_nothing_stays_behind() {
    let _one = common::podman_alone();
    if !common::has_program("image-large", "podman") {
        return;
    }
    let before = common::podman_images();
    let dir = tempfile::tempdir().unwrap();
    let large = dir.path().join("memtide");
    // Text in place of zeros: layers are compressed, and sizes are those of what is in them.
    std::fs::write(&large, vec![b'x'; 15_000_001]).unwrap();
    let tag = format!("localhost/memtide-image-large-{}:test", std::process::id());
    let output = build(&tag, Some(&large));
    let said = text(&output.stderr);
    if !said.contains("more than 15000000 bytes") && !output.status.success() {
        common::skip(
            "image-large",
            &format!("podman can't build: {}", said.trim()),
        );
        return;
    }
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(common::podman_images(), before);
}

#[test]
fn every_index_of_the_jobs_runs_in_it_under_its_limit_without_any_rights() {
    let _one = common::podman_alone();
    let Some(image) = Image::build("image-run") else {
        return;
    };
    let mut seen = Vec::new();
    for job in memtide::cluster::jobs::plain().unwrap() {
        for index in 0..job.scenarios.len() {
            // As the manifest has it.
            let pick = format!("--pick={index}");
            let mut arguments = vec!["run", "--out=-", &pick, "--placement=ambient"];
            arguments.extend(job.scenarios.iter().map(String::as_str));
            let output = image.run(&format!("{}b", job.limit), &arguments);
            let said = text(&output.stderr);
            let name = &job.scenarios[index];
            assert!(output.status.success(), "{name}: {said}");
            if output.stdout.is_empty() {
                assert!(said.contains("1 skipped"), "{name}: {said}");
                common::skip("image-run", &format!("{name} can't run here"));
                continue;
            }
            // The kubelet rotates at 10 MiB.
            assert!(
                output.stdout.len() < 10 << 20,
                "{name}: {}",
                output.stdout.len()
            );
            let recording = recording::read_bytes(&output.stdout).unwrap();
            assert!(recording.complete, "{name}");
            assert_eq!(&recording.header.scenario, name);
            assert_eq!(recording.header.host.placement, "ambient");
            seen.push(recording.footer.unwrap().outcome.as_str());
        }
    }
    assert!(
        seen.contains(&"survived") && seen.contains(&"oom_killed"),
        "{seen:?}"
    );
    let left: Vec<_> = std::fs::read_dir(image.log.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}
