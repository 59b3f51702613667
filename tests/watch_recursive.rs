//! `watch --recursive`: every container below a cgroup, under the names a node's dashboards use.

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use memtide::cgroup::Hierarchy;
use memtide::recording::{self, EventKind};

/// Empty cgroups of this test's own, removed when dropped, the deepest first.
struct Tree {
    made: Vec<PathBuf>,
}

impl Tree {
    fn new(test: &str, children: &[String]) -> Option<(Self, PathBuf)> {
        let hierarchy = Hierarchy::discover()
            .map_err(|error| common::skip(test, &error.to_string()))
            .ok()?;
        let top = hierarchy
            .mount
            .join(format!("memtide-test-{test}-{}", std::process::id()));
        let mut tree = Tree { made: Vec::new() };
        for path in std::iter::once(top.clone()).chain(children.iter().map(|c| top.join(c))) {
            if let Err(error) = std::fs::create_dir(&path) {
                common::skip(test, &format!("can't make {}: {error}", path.display()));
                return None;
            }
            tree.made.push(path);
        }
        Some((tree, top))
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        for path in self.made.iter().rev() {
            let _ = std::fs::remove_dir(path);
        }
    }
}

#[test]
fn every_container_is_in_the_recording_under_the_kubelets_name() {
    let id = "a1".repeat(32);
    let children = ["pod6d", &format!("pod6d/{id}"), "pod6d/sandbox", "podempty"].map(String::from);
    let Some((_tree, top)) = Tree::new("watch-recursive", &children) else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let links = dir.path().join("containers");
    std::fs::create_dir(&links).unwrap();
    std::fs::write(links.join(format!("web-7d_shop_app-{id}.log")), "").unwrap();
    // What containerd keeps of it.
    let state = format!("run/containerd/io.containerd.runtime.v2.task/k8s.io/{id}");
    let state = dir.path().join(state);
    std::fs::create_dir_all(&state).unwrap();
    let config = r#"{"annotations":{"io.kubernetes.cri.image-name":"docker.io/library/redis:7"}}"#;
    std::fs::write(state.join("config.json"), config).unwrap();
    let out = dir.path().join("out.jsonl");
    let output = common::memtide()
        .args([
            "watch",
            "--recursive",
            "--interval",
            "20ms",
            "--duration",
            "200ms",
        ])
        .arg("--container-logs")
        .arg(&links)
        .arg("--node-root")
        .arg(dir.path())
        .arg("--out")
        .arg(&out)
        .arg(&top)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let recording = recording::read_path(&out).unwrap();
    let names: Vec<&str> = recording
        .header
        .groups
        .iter()
        .map(|g| g.name.as_str())
        .collect();
    assert_eq!(names, ["web-7d_shop_app", "pod6d/sandbox", "podempty"]);
    assert!(recording.tables.iter().all(|table| !table.is_empty()));
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(
        printed.lines().all(|line| line.contains("3 containers")),
        "{printed}"
    );
    assert!(printed.lines().count() > 2, "{printed}");
    let labels = memtide::export::Labels::of(&recording, memtide::export::Naming::Telling);
    assert_eq!(
        (labels[0].pod.as_str(), labels[0].namespace.as_str()),
        ("web-7d", "shop")
    );
    assert_eq!(labels[0].container, "app");
    let images: Vec<&str> = labels.iter().map(|l| l.image.as_str()).collect();
    assert_eq!(images, ["docker.io/library/redis:7", "", ""]);
    assert!(labels[0].id.ends_with(&format!("/pod6d/{id}")) && !labels[0].id.contains("/sys/fs"));
}

#[test]
fn with_few_descriptors_all_are_still_read() {
    let children: Vec<String> = (0..60).map(|n| format!("c{n:02}")).collect();
    let Some((_tree, top)) = Tree::new("watch-many", &children) else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out.jsonl");
    // A hard limit that can't be raised, far below a file for each counter.
    let output = Command::new("sh")
        .args([
            "-c",
            "ulimit -n 64; exec \"$0\" \"$@\"",
            env!("CARGO_BIN_EXE_memtide"),
        ])
        .args([
            "watch",
            "--recursive",
            "--interval",
            "100ms",
            "--duration",
            "300ms",
            "--out",
        ])
        .arg(&out)
        .arg(&top)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let recording = recording::read_path(&out).unwrap();
    assert_eq!(recording.tables.len(), 60);
    assert!(recording.tables.iter().all(|table| !table.is_empty()));
}

/// Far longer than what it waits for takes: a tick, or the 2 s a cgroup without a name may stay so.
const LONG: Duration = Duration::from_secs(30);

/// A watch that runs until it is told to stop.
struct Watch {
    child: Child,
    address: String,
}

impl Watch {
    fn start(top: &Path, links: &Path, out: &Path) -> Self {
        let mut child = common::memtide()
            .args(["watch", "--recursive", "--interval", "20ms"])
            .args(["--metrics-listen", "127.0.0.1:0", "--container-logs"])
            .arg(links)
            .arg("--out")
            .arg(out)
            .arg(top)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stderr.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let address = line.trim().strip_prefix("metrics: http://").unwrap();
        let address = address.strip_suffix("/metrics").unwrap().to_string();
        Watch { child, address }
    }

    fn page(&self) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").unwrap();
        let mut page = String::new();
        stream.read_to_string(&mut page).unwrap();
        page
    }

    /// Waits until the page is as it should be.
    fn until(&self, what: &str, fine: impl Fn(&str) -> bool) -> String {
        let start = Instant::now();
        loop {
            let page = self.page();
            if fine(&page) {
                return page;
            }
            assert!(start.elapsed() < LONG, "{what}: {page}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn stop(mut self) {
        let pid = self.child.id().to_string();
        let killed = Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        assert!(killed.success());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A process in a cgroup; ends with this value.
struct Sleeper(Child);

impl Sleeper {
    fn start(cgroup: &Path) -> Self {
        let child = Command::new("sleep").arg("60").spawn().unwrap();
        std::fs::write(cgroup.join("cgroup.procs"), child.id().to_string()).unwrap();
        Sleeper(child)
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn containers_that_come_later_are_sampled_and_those_that_end_are_taken_down() {
    let children = ["old".to_string()];
    let Some((mut tree, top)) = Tree::new("watch-later", &children) else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let (links, out) = (dir.path().join("containers"), dir.path().join("out.jsonl"));
    std::fs::create_dir(&links).unwrap();
    let watch = Watch::start(&top, &links, &out);
    watch.until("the first one", |page| page.contains("/old\""));

    // A pod with a container that the kubelet names a moment later.
    let id = "c3".repeat(32);
    let (pod, container) = (top.join("pod6d"), top.join("pod6d").join(&id));
    for path in [&pod, &container] {
        std::fs::create_dir(path).unwrap();
        tree.made.push(path.clone());
    }
    let sleeper = Sleeper::start(&container);
    std::fs::write(links.join(format!("web-7d_shop_app-{id}.log")), "").unwrap();
    let page = watch.until("the new container", |page| page.contains(&id));
    let series = page
        .lines()
        .find(|line| line.starts_with("container_memory_usage_bytes") && line.contains(&id))
        .unwrap();
    assert!(
        series.contains("container=\"app\"") && series.contains("pod=\"web-7d\""),
        "{series}"
    );
    // What is read seldom is on the page at all times.
    for _ in 0..5 {
        let page = watch.page();
        let limits = page
            .lines()
            .filter(|line| line.starts_with("container_memory_max_usage_bytes{"));
        assert_eq!(limits.count(), 2, "{page}");
    }

    drop(sleeper);
    std::fs::remove_dir(&container).unwrap();
    watch.until("it is gone", |page| !page.contains(&id));
    // The same again: a new container.
    std::fs::create_dir(&container).unwrap();
    watch.until("it is back", |page| page.contains(&id));
    assert!(watch.page().contains("/old\""));
    watch.stop();

    let recording = recording::read_path(&out).unwrap();
    assert!(recording.complete);
    let groups = recording.header.groups.iter();
    let names: Vec<&str> = groups.map(|g| g.name.as_str()).collect();
    assert_eq!(names, ["old", "web-7d_shop_app", "web-7d_shop_app"]);
    assert!(recording.tables.iter().all(|table| !table.is_empty()));
    let ended: Vec<(u64, usize)> = recording
        .events
        .iter()
        .filter_map(|event| match event.kind {
            EventKind::GroupEnd { group, .. } => Some((event.t, group)),
            _ => None,
        })
        .collect();
    assert_eq!(ended.len(), 1, "{:?}", recording.events);
    assert_eq!(ended[0].1, 1);
    assert!(*recording.tables[1].t.last().unwrap() <= ended[0].0);
    assert!(recording.tables[2].t[0] >= ended[0].0);
}

#[test]
fn every_sample_has_what_moves_and_every_few_seconds_one_has_all() {
    let children: Vec<String> = (0..4).map(|n| format!("c{n}")).collect();
    let Some((_tree, top)) = Tree::new("watch-rows", &children) else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out.jsonl");
    let output = common::memtide()
        .args(["watch", "--recursive", "--interval", "250ms", "--duration"])
        .args(["6s", "--out"])
        .arg(&out)
        .arg(&top)
        .output()
        .unwrap();
    assert!(output.status.success());
    let recording = recording::read_path(&out).unwrap();
    for (group, table) in recording.header.groups.iter().zip(&recording.tables) {
        let present = |column: &str| -> Vec<u64> {
            let place = table.column(column).unwrap();
            let samples = (0..table.len()).filter(|n| table.get(*n, place).is_some());
            samples.map(|n| table.t[n]).collect()
        };
        let v1 = table.columns.iter().any(|c| c == "memory.usage_in_bytes");
        let (moving, seldom) = match v1 {
            true => (["total_rss", "memory.usage_in_bytes"], "memory.failcnt"),
            false => (["anon", "memory.current"], "memory.max"),
        };
        for column in moving {
            assert_eq!(present(column).len(), table.len(), "{column}");
        }
        // At the start, and then each 20th: 24 samples, less ticks that a busy machine missed.
        let seldom = present(seldom);
        let least = if table.len() > 20 { 2 } else { 1 };
        assert!(
            (least..=3).contains(&seldom.len()),
            "{}: {seldom:?}",
            group.name
        );
        assert_eq!(seldom[0], table.t[0]);
    }
}

#[test]
fn a_container_that_was_there_before_its_link_is_named_once_it_has_one() {
    let (own, pause) = ("d4".repeat(32), "e5".repeat(32));
    let uid = "0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f";
    let children = [
        format!("pod{uid}"),
        format!("pod{uid}/{own}"),
        format!("pod{uid}/{pause}"),
        "pod11111111-0a1b-0a1b-0a1b-0a1b2c3d4e5f".to_string(),
    ];
    let Some((_tree, top)) = Tree::new("watch-named", &children) else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let (links, out) = (dir.path().join("containers"), dir.path().join("out.jsonl"));
    std::fs::create_dir(&links).unwrap();
    let watch = Watch::start(&top, &links, &out);
    let series = |page: &str, id: &str| {
        let of =
            |line: &&str| line.starts_with("container_memory_usage_bytes") && line.contains(id);
        page.lines().find(of).unwrap_or_default().to_string()
    };
    watch.until("it is there without a name", |page| {
        !series(page, &own).is_empty()
    });
    std::fs::write(
        links.join(format!("watch-x_monitoring_memtide-{own}.log")),
        "",
    )
    .unwrap();
    let page = watch.until("it has its name", |page| {
        series(page, &own).contains("container=\"memtide\"")
    });
    assert!(!series(&page, &own).contains("image=\"\""), "{page}");
    // The sandbox beside it is the same pod's, and no container.
    let page = watch.until("the sandbox is the pod's", |page| {
        series(page, &pause).contains("pod=\"watch-x\"")
    });
    let sandbox = series(&page, &pause);
    assert!(
        sandbox.contains("container=\"\"") && sandbox.contains("namespace=\"monitoring\""),
        "{sandbox}"
    );
    // A pod without containers is no container.
    assert!(!page.contains("pod11111111"), "{page}");
    watch.stop();
    let recording = recording::read_path(&out).unwrap();
    let names: Vec<&str> = recording
        .header
        .groups
        .iter()
        .map(|g| g.name.as_str())
        .collect();
    assert!(
        names.contains(&"watch-x_monitoring_memtide") && names.contains(&"watch-x_monitoring_")
    );
}
