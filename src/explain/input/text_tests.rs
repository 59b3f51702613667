use super::*;
use crate::explain::Scope;
use crate::rows::CgroupVersion::{V1, V2};
use crate::rows::UNLIMITED;
use proptest::prelude::*;

fn read(text: &str, file: Option<&str>) -> Vec<Reading> {
    super::read(text, &clean::lines(text), file)
}

fn one(text: &str) -> Reading {
    let readings = read(text, None);
    assert_eq!(readings.len(), 1, "{readings:#?}");
    readings.into_iter().next().unwrap()
}

#[test]
fn a_shell_session_with_prompts() {
    let reading = one(
        "[root@node ~]# cat /sys/fs/cgroup/memory/x/memory.usage_in_bytes\n2869575680\n\
         [root@node ~]# cat /sys/fs/cgroup/memory/x/memory.stat\ncache 2842775552\nrss 675840\n\
         inactive_file 2653802496\nsome_new_row 7\n",
    );
    assert_eq!(reading.version, Some(V1));
    assert_eq!(
        reading.rows.get("memory.usage_in_bytes"),
        Some(2_869_575_680)
    );
    assert_eq!(reading.rows.get("some_new_row"), Some(7));
    assert_eq!(reading.view().inactive_file, Some(2_653_802_496));
}

#[test]
fn headings_of_head_and_tail_and_grep() {
    for text in [
        "==> memory.current <==\n2048\n\n==> memory.stat <==\nanon 1024\nfile 512\n",
        "memory.current:2048\nmemory.stat:anon 1024\nmemory.stat:file 512\n",
        "/sys/fs/cgroup/a/memory.current 2048\n/sys/fs/cgroup/a/memory.stat:anon 1024\n/sys/fs/cgroup/a/memory.stat:file 512",
        "$ kubectl exec p -- cat memory.stat memory.current\nanon 1024\nfile 512\n2048\n",
        "memory.current = 2,048\nmemory.stat:\nanon 1,024\nfile 512\n",
        "| memory.current | 2048 |\n| anon | 1024 |\n| file | 512 |\n",
    ] {
        let reading = one(text);
        let get = |name: &str| reading.rows.get(name);
        assert_eq!(
            (
                reading.version,
                get("memory.current"),
                get("anon"),
                get("file")
            ),
            (Some(V2), Some(2048), Some(1024), Some(512)),
            "{text}"
        );
    }
}

#[test]
fn the_same_files_twice_are_two_readings() {
    let text = "before\nmemory.usage_in_bytes 5\ntotal_rss 3\nafter the test\nmemory.usage_in_bytes 5\ntotal_rss 4\n";
    let readings = read(text, None);
    let labels: Vec<_> = readings.iter().map(|r| r.label.as_str()).collect();
    assert_eq!(labels, ["before", "after the test"]);
    assert_eq!(readings[1].rows.get("total_rss"), Some(4));
}

#[test]
fn local_and_total_rows_stand_beside_each_other() {
    let reading = one("inactive_file 24576\ntotal_inactive_file 16384\n");
    assert_eq!(reading.view().inactive_file, Some(16_384));
}

#[test]
fn events_pressure_and_processes() {
    let reading = one(
        "memory.events\nlow 0\nhigh 556267\nmax 0\noom_kill 0\nmemory.pressure\n\
         some avg10=1.00 avg60=2.00 avg300=3.00 total=44\nfull avg300=86.10\n\
         Rss: 100 kB\nLazyFree: 64 kB\nLazyFree: 64 kB\n",
    );
    assert_eq!(reading.rows.get("memory.events:high"), Some(556_267));
    assert_eq!(reading.rows.get("memory.pressure:some.total"), Some(44));
    assert_eq!(reading.pressure.last(), Some(&("full.avg300".into(), 86.1)));
    assert_eq!(reading.rows.get("smaps:LazyFree"), Some(128 << 10));
}

#[test]
fn meminfo_is_a_node() {
    let reading = one("MemTotal: 1000 kB\nMemFree: 100 kB\nInactive(file): 200 kB\n");
    assert_eq!(reading.scope, Scope::Node);
    assert_eq!(reading.view().usage, Some(900 << 10));
}

#[test]
fn a_single_file_is_known_by_its_name() {
    let reading = read("12345\n", Some("memory.current"));
    assert_eq!(reading[0].view().usage, Some(12_345));
    assert!(read("12345\n", None).is_empty());
}

#[test]
fn spellings_of_unlimited() {
    let reading = one("memory.current 5\nmemory.max max\n");
    assert_eq!(
        (reading.view().limit, reading.limit()),
        (Some(UNLIMITED), None)
    );
    assert_eq!(one("usage 5\nlimit 9223372036854771712\n").limit(), None);
}

#[test]
fn prose_and_cut_lines_are_left_out() {
    let reading = one("We run Linux kernel 6 on 3 nodes.\nanon 4096\nfile 8192\ninactive_fi");
    assert_eq!(reading.rows.iter().count(), 2);
}

proptest! {
    #[test]
    fn nothing_panics(text in "(?s).{0,300}") {
        read(&text, None);
    }

    #[test]
    fn row_like_text_does_not_panic(
        lines in proptest::collection::vec("(memory\\.(stat|current|max|events)|anon|rss|full|Rss:|MemTotal:|high|working_set)[ :=|]{0,2}[0-9,.kBmax]{0,22}", 0..12),
    ) {
        for reading in read(&lines.join("\n"), Some("memory.stat")) {
            reading.view();
            reading.limit();
        }
    }

    /// Every row written as the kernel writes it is read back.
    #[test]
    fn memory_stat_round_trips(rows in proptest::collection::btree_map("[a-z]{3,10}_[a-z]{3,10}", 0u64..1 << 50, 1..30)) {
        let text: String = rows.iter().map(|(k, v)| format!("{k} {v}\n")).collect();
        let reading = &read(&text, Some("memory.stat"))[0];
        for (key, value) in &rows {
            prop_assert_eq!(reading.rows.get(key), Some(*value));
        }
    }
}
