//! The metrics endpoint: what Debian's Prometheus reads from it is what was recorded.

mod common;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use memtide::expect;
use memtide::recording::{self, Recording};
use memtide::shipped;
use serde_json::Value;

/// A child that is ended when the test is.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts memtide with an endpoint on a free port and gives its address.
fn serving(arguments: &[&str]) -> (Running, SocketAddr) {
    serving_in(&[], arguments)
}

/// The same with more in its environment.
fn serving_in(environment: &[(&str, &str)], arguments: &[&str]) -> (Running, SocketAddr) {
    let mut child = common::memtide()
        .args(arguments)
        .envs(environment.iter().copied())
        .args(["--metrics-listen", "127.0.0.1:0"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let address = lines
        .by_ref()
        .map_while(Result::ok)
        .find_map(|line| {
            let url = line.strip_prefix("metrics: http://")?.to_string();
            url.strip_suffix("/metrics")?.parse().ok()
        })
        .expect("the address on stderr");
    // Whatever else it says must not fill the pipe.
    std::thread::spawn(move || lines.for_each(drop));
    (Running(child), address)
}

fn talk(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request).unwrap();
    let mut answer = Vec::new();
    // Who is hung up on with bytes unread sees a reset; what came before it counts.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

fn get(address: SocketAddr, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n");
    let answer = talk(address, request.as_bytes());
    let (head, body) = answer.split_once("\r\n\r\n").expect("an HTTP answer");
    assert!(head.contains(" 200 "), "{path}: {answer}");
    body.to_string()
}

fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "no {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A real Prometheus that scrapes `target` every 100 ms; none where it is not installed.
struct Prometheus {
    _process: Running,
    _dir: tempfile::TempDir,
    address: SocketAddr,
}

impl Prometheus {
    fn scraping(test: &str, target: SocketAddr) -> Option<Self> {
        if !common::has_program(test, "prometheus") {
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("prometheus.yml");
        std::fs::write(
            &config,
            format!(
                "global: {{scrape_interval: 100ms, scrape_timeout: 100ms}}\nscrape_configs:\n\
                 - job_name: memtide\n  static_configs: [{{targets: ['{target}']}}]\n"
            ),
        )
        .unwrap();
        // Bound and let go: free a moment ago, which is the best a test can know.
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let process = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", dir.path().display()))
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let prometheus = Prometheus {
            _process: Running(process),
            _dir: dir,
            address,
        };
        let ready = b"GET /-/ready HTTP/1.0\r\n\r\n";
        wait_for("prometheus", || {
            TcpStream::connect(address).ok()?;
            talk(address, ready).contains(" 200 ").then_some(())
        });
        Some(prometheus)
    }

    fn api(&self, path: &str) -> Value {
        let answer: Value = serde_json::from_str(&get(self.address, path)).unwrap();
        assert_eq!(answer["status"], "success", "{answer}");
        answer["data"].clone()
    }

    /// All values of one series over the last half hour.
    fn values(&self, series: &str) -> Vec<i64> {
        let encoded: String = format!("{series}[30m]")
            .bytes()
            .map(|b| format!("%{b:02X}"))
            .collect();
        let data = self.api(&format!("/api/v1/query?query={encoded}"));
        let results = data["result"].as_array().unwrap();
        assert!(results.len() <= 1, "{series} is several series: {data}");
        let values = results.first().and_then(|r| r["values"].as_array());
        let number = |v: &Value| v[1].as_str().unwrap().parse::<f64>().unwrap() as i64;
        values.into_iter().flatten().map(number).collect()
    }
}

/// Every scraped value was recorded, and they come in the recording's order.
fn assert_recorded(series: &str, scraped: &[i64], recorded: &[i64]) {
    assert!(scraped.len() >= 3, "{series}: only {scraped:?}");
    let mut rest = recorded;
    for value in scraped {
        let place = rest.iter().position(|v| v == value);
        let place = place.unwrap_or_else(|| panic!("{series}: {value} is not recorded there"));
        rest = &rest[place..];
    }
}

fn recorded(recording: &Recording, group: usize, name: &str) -> Vec<i64> {
    (0..recording.tables[group].len())
        .filter_map(|sample| expect::value(recording, group, name, sample))
        .collect()
}

/// Series, and the name under which `expect` finds its values.
const SERIES: [(&str, &str); 7] = [
    ("container_memory_working_set_bytes", "cadvisor_working_set"),
    ("container_memory_usage_bytes", "usage"),
    ("container_memory_rss", "rss"),
    ("container_memory_cache", "cache"),
    ("container_memory_total_active_file_bytes", "active_file"),
    ("memtide_truth_live_bytes", "truth:live"),
    ("memtide_truth_file_live_bytes", "truth:file_live"),
];

fn compare(prometheus: &Prometheus, recording: &Recording) {
    let group = recording.main_group();
    let container = &recording.header.groups[group].name;
    for (series, name) in SERIES {
        let series = format!("{series}{{container=\"{container}\"}}");
        assert_recorded(
            &series,
            &prometheus.values(&series),
            &recorded(recording, group, name),
        );
    }
    for formula in ["cadvisor_working_set_2016", "kubelet_memory_available"] {
        let series =
            format!("memtide_formula_bytes{{container=\"{container}\",formula=\"{formula}\"}}");
        assert_recorded(
            &series,
            &prometheus.values(&series),
            &recorded(recording, group, formula),
        );
    }
}

/// Every query of the Grafana dashboard is one that Prometheus takes, and finds something here.
fn assert_dashboard_draws(prometheus: &Prometheus) {
    let dashboard: Value =
        serde_json::from_str(include_str!("../scripts/grafana/memtide.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|p| p["targets"].as_array().unwrap());
    let mut queries = 0;
    for target in targets {
        let query = target["expr"]
            .as_str()
            .unwrap()
            .replace("$container", ".*")
            .replace("$pod", ".*")
            .replace("$__rate_interval", "1m");
        let encoded: String = query.bytes().map(|b| format!("%{b:02X}")).collect();
        let data = prometheus.api(&format!("/api/v1/query?query={encoded}"));
        let series = data["result"].as_array().unwrap();
        assert_ne!(series.len(), 0, "nothing for {query}");
        // Of many containers a line is told from the others by its legend alone.
        let legend = target["legendFormat"].as_str().unwrap();
        let labels: Vec<&str> = legend
            .split("{{")
            .skip(1)
            .map(|part| part.split("}}").next().unwrap())
            .collect();
        assert!(
            labels.contains(&"pod") && labels.contains(&"container"),
            "{legend}"
        );
        for label in labels {
            assert!(series[0]["metric"][label].is_string(), "{query}: {legend}");
        }
        queries += 1;
    }
    assert!(queries > 10);
    // What its menus offer is there, too.
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        let Some(query) = variable["query"]["query"].as_str() else {
            assert_eq!(variable["type"], "datasource", "{variable}");
            continue;
        };
        let values = query
            .strip_prefix("label_values(")
            .and_then(|q| q.strip_suffix(')'));
        let (metric, label) = values.unwrap().split_once(", ").unwrap();
        let data = prometheus.api(&format!("/api/v1/query?query={metric}"));
        assert!(data["result"][0]["metric"][label].is_string(), "{query}");
    }
}

/// `# TYPE` lines of a page or a fixture.
fn types(page: &str) -> BTreeMap<String, String> {
    page.lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .map(|(name, kind)| (name.to_string(), kind.to_string()))
        .collect()
}

#[test]
fn prometheus_reads_a_replay_as_it_was_recorded() {
    let name = "6.1-v1/log-write";
    let recording = shipped::find("6.1-v1", "log-write")
        .unwrap()
        .read()
        .unwrap();
    let end = recording.footer.as_ref().unwrap().t as f64 / 1e9;
    // Some 4 s, whatever the recording's length: forty scrapes.
    let speed = (end * recording.header.time_scale / 4.0).to_string();
    let (_memtide, target) = serving(&["replay", name, "--speed", &speed, "--hold", "60s"]);
    let Some(prometheus) = Prometheus::scraping("metrics-replay", target) else {
        return;
    };
    let last = *recorded(&recording, recording.main_group(), "usage")
        .last()
        .unwrap();
    let container = &recording.header.groups[recording.main_group()].name;
    let usage = format!("container_memory_usage_bytes{{container=\"{container}\"}}");
    wait_for("last sample", || {
        let scraped = prometheus.values(&usage);
        // The last value may come up before: more scrapes than fit into the play.
        (scraped.len() > 60 && scraped.last() == Some(&last)).then_some(())
    });
    compare(&prometheus, &recording);

    assert_dashboard_draws(&prometheus);

    let metadata = prometheus.api("/api/v1/metadata");
    let real = types(include_str!("fixtures/real-cadvisor-metrics.txt"));
    let mut seen = 0;
    for (name, kind) in real {
        if let Some(known) = metadata[&name][0]["type"].as_str() {
            assert_eq!(known, kind, "{name}");
            seen += 1;
        }
    }
    assert!(seen >= 14, "only {seen} of cAdvisor's metrics");
}

#[test]
fn prometheus_reads_a_run_as_it_is_recorded() {
    if !common::can_manage("metrics-run") {
        return;
    }
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let scenario = dir.path().join("slow.toml");
    // It holds for longer than any test waits: this one ends it, once enough scrapes have come.
    let text = common::scenario(
        "limit = \"128MiB\"\ninterval = \"20ms\"",
        "anon = { size = \"32MiB\", rate = \"10MiB/s\" }\n[[step]]\nname = \"hold\"\nsay = \"holds\"\n\
         sleep = \"600s\"",
    );
    std::fs::write(&scenario, text).unwrap();
    let out = dir.path().join("out");
    let (mut memtide, target) = serving(&[
        "run",
        scenario.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
    ]);
    let Some(prometheus) = Prometheus::scraping("metrics-run", target) else {
        return;
    };
    wait_for("ten scrapes of the run", || {
        let scraped = prometheus.values("container_memory_usage_bytes{container=\"app\"}");
        (scraped.len() >= 10).then_some(())
    });
    let pid = memtide.0.id().to_string();
    let sent = Command::new("kill").args(["-INT", &pid]).status();
    assert!(sent.is_ok_and(|status| status.success()));
    assert_eq!(memtide.0.wait().unwrap().code(), Some(130));
    let recording = recording::read_path(&out.join("slow.jsonl")).unwrap();
    compare(&prometheus, &recording);
}

/// What the downward API tells of a pod stands on the endpoint's page, as the kubelet has it on its own.
#[test]
fn a_run_in_a_pod_is_named_as_the_kubelet_names_it() {
    if !common::can_manage("metrics-pod") {
        return;
    }
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let scenario = dir.path().join("slow.toml");
    let text = common::scenario("limit = \"64MiB\"\ninterval = \"20ms\"", "sleep = \"600s\"");
    std::fs::write(&scenario, text).unwrap();
    let (pod, namespace) = ("MEMTIDE_POD", "MEMTIDE_NAMESPACE");
    for (environment, labels) in [
        (
            &[(pod, "memtide-3-x7k2p"), (namespace, "shop")][..],
            ["namespace=\"shop\"", "pod=\"memtide-3-x7k2p\""],
        ),
        (
            &[(pod, "memtide-3-x7k2p")],
            ["namespace=\"default\"", "pod=\"memtide-3-x7k2p\""],
        ),
        // Outside of a cluster, and where a variable is there and empty.
        (
            &[(pod, ""), (namespace, "")],
            ["namespace=\"default\"", "pod=\"slow\""],
        ),
    ] {
        let out = dir.path().join("out");
        let path = scenario.to_str().unwrap();
        let arguments = ["run", path, "--out", out.to_str().unwrap()];
        let (mut memtide, address) = serving_in(environment, &arguments);
        let page = wait_for("sample", || {
            let page = get(address, "/metrics");
            page.contains("\ncontainer_memory_usage_bytes{")
                .then_some(page)
        });
        let mut series = 0;
        for line in page
            .lines()
            .filter(|line| line.starts_with("container_memory_"))
        {
            for label in labels {
                assert!(line.contains(label), "no {label} in {line}");
            }
            series += 1;
        }
        assert!(series > 5, "{page}");
        let pid = memtide.0.id().to_string();
        let sent = Command::new("kill").args(["-INT", &pid]).status();
        assert!(sent.is_ok_and(|status| status.success()));
        assert_eq!(memtide.0.wait().unwrap().code(), Some(130));
        std::fs::remove_dir_all(out).unwrap();
    }
}

/// The pod's limit is the sum of its containers', as on a captured page (tests/cadvisor_names.rs), and
/// kube-state-metrics says theirs.
fn assert_limits(page: &str) {
    let value = |series: &str| {
        let line = page.lines().find(|line| line.starts_with(series));
        let line = line.unwrap_or_else(|| panic!("no {series} in\n{page}"));
        line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()
    };
    let container = value("container_spec_memory_limit_bytes{container=\"app\"");
    assert!(container > 0.0);
    assert_eq!(
        value("container_spec_memory_limit_bytes{container=\"\""),
        container
    );
    assert_eq!(
        value("kube_pod_container_resource_limits{container=\"app\""),
        container
    );
}

#[test]
fn the_page_has_cadvisors_names_types_and_labels() {
    let (_memtide, target) =
        serving(&["replay", "6.12-v2/steady", "--speed", "60", "--hold", "60s"]);
    let page = wait_for("sample", || {
        Some(get(target, "/metrics"))
            .filter(|page| page.contains("container_memory_rss{container=\"app\""))
    });
    let real = types(include_str!("fixtures/real-cadvisor-metrics.txt"));
    let ours = types(&page);
    for (name, kind) in ours
        .iter()
        .filter(|(name, _)| name.starts_with("container_"))
    {
        if let Some(theirs) = real.get(name) {
            assert_eq!(kind, theirs, "{name}");
        }
    }
    for name in [
        "container_memory_working_set_bytes",
        "container_memory_usage_bytes",
        "container_memory_failcnt",
        "container_memory_failures_total",
        "container_oom_events_total",
        "container_spec_memory_limit_bytes",
        "memtide_formula_bytes",
        "memtide_truth_live_bytes",
        "memtide_run_info",
        "kube_pod_container_resource_limits",
        "kube_pod_container_status_restarts_total",
        "kube_pod_status_reason",
    ] {
        assert!(ours.contains_key(name), "no {name} in\n{page}");
    }
    let series = page
        .lines()
        .find(|l| {
            l.starts_with("container_memory_rss{container=\"") && !l.contains("container=\"\"")
        })
        .unwrap();
    for label in [
        "id=\"/kubepods/",
        "namespace=\"",
        "pod=\"steady\"",
        "image=\"",
        "name=\"",
    ] {
        assert!(series.contains(label), "{series}");
    }
    assert_limits(&page);
    // A family's series stand together, under one heading.
    assert_eq!(page.matches("# TYPE ").count(), ours.len());
    let dashboard = include_str!("../scripts/grafana/memtide.json");
    let asked = metrics_in(&serde_json::from_str(dashboard).unwrap());
    assert!(asked.len() > 12, "{asked:?}");
    let missing: Vec<&String> = asked
        .iter()
        .filter(|name| !ours.contains_key(*name))
        .collect();
    assert!(
        missing.is_empty(),
        "the dashboard asks for {missing:?}, and the page has them not"
    );
}

/// The names of metrics in every query of a dashboard, those of its menus included.
fn metrics_in(value: &Value) -> std::collections::BTreeSet<String> {
    match value {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(key, value)| match (key.as_str(), value) {
                ("expr" | "query" | "definition", Value::String(query)) => query
                    .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
                    .filter(|word| {
                        ["container_", "memtide_", "kube_"]
                            .iter()
                            .any(|start| word.starts_with(start))
                    })
                    .map(String::from)
                    .collect(),
                _ => metrics_in(value),
            })
            .collect(),
        Value::Array(values) => values.iter().flat_map(metrics_in).collect(),
        _ => Default::default(),
    }
}

#[test]
fn promtool_finds_on_the_page_nothing_but_a_name_that_is_cadvisors() {
    if !common::has_program("metrics-promtool", "promtool") {
        return;
    }
    let (_memtide, target) =
        serving(&["replay", "6.1-v1/steady", "--speed", "60", "--hold", "60s"]);
    let page = wait_for("sample", || {
        Some(get(target, "/metrics"))
            .filter(|page| page.contains("container_memory_failcnt{container=\"app\""))
    });
    assert_limits(&page);
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    promtool
        .stdin
        .take()
        .unwrap()
        .write_all(page.as_bytes())
        .unwrap();
    let output = promtool.wait_with_output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stderr).trim(),
        "container_memory_failcnt counter metrics should have \"_total\" suffix"
    );
}

#[test]
fn what_is_no_scrape_is_answered_and_stops_nothing() {
    let (_memtide, target) =
        serving(&["replay", "6.12-v2/steady", "--speed", "60", "--hold", "60s"]);
    for (request, status) in [
        (&b"GET / HTTP/1.1\r\n\r\n"[..], "404"),
        (
            b"POST /metrics HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
            "405",
        ),
        (b"\x16\x03\x01 no http\r\n\r\n", "400"),
    ] {
        let answer = talk(target, request);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        );
        assert!(answer.contains("Connection: close"), "{answer}");
    }
    // More than any head: answered or hung up on, but not kept.
    talk(target, &vec![b'a'; 100_000]);
    // One that says nothing keeps others waiting for 2 s at most.
    let _silent = TcpStream::connect(target).unwrap();
    let start = Instant::now();
    get(target, "/metrics?x=1");
    assert!(
        start.elapsed() < Duration::from_secs(60),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn an_address_that_is_taken_is_said_before_anything_runs() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = common::memtide()
        .args(["replay", "6.12-v2/steady", "--metrics-listen", &address])
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{error}");
    assert!(error.contains(&address), "{error}");
}
