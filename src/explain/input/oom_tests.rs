use super::*;
use crate::rows::CgroupVersion;
use proptest::prelude::*;

fn read(text: &str) -> Vec<Reading> {
    super::read(text, &clean::lines(text))
}

const V1_OLD: &str = "\
[  411.123456] java invoked oom-killer: gfp_mask=0xd0, order=0, oom_score_adj=936
[  411.123460] Task in /kubepods/pod1/abc killed as a result of limit of /kubepods/pod1
[  411.123462] memory: usage 262144kB, limit 262144kB, failcnt 44718
[  411.123463] memory+swap: usage 262144kB, limit 9007199254740988kB, failcnt 0
[  411.123464] kmem: usage 1024kB, limit 9007199254740988kB, failcnt 0
[  411.123465] Memory cgroup stats for /kubepods/pod1: cache:0KB rss:0KB rss_huge:0KB mapped_file:0KB swap:0KB inactive_anon:0KB active_anon:0KB inactive_file:0KB active_file:0KB unevictable:0KB
[  411.123466] Memory cgroup stats for /kubepods/pod1/abc: cache:64KB rss:245760KB rss_huge:0KB mapped_file:4KB swap:0KB inactive_anon:0KB active_anon:245756KB inactive_file:32KB active_file:28KB unevictable:0KB
[  411.123467] [ pid ]   uid  tgid total_vm      rss nr_ptes swapents oom_score_adj name
[  411.123468] [ 4242]     0  4242   700000    61440     200        0           936 java
[  411.123469] Memory cgroup out of memory: Kill process 4242 (java) score 1900 or sacrifice child
[  411.123470] Killed process 4242 (java) total-vm:2800000kB, anon-rss:245000kB, file-rss:760kB
";

const V2: &str = "\
Aug  6 12:00:01 node kernel: stress invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0
Aug  6 12:00:01 node kernel: memory: usage 131072kB, limit 131072kB, failcnt 66
Aug  6 12:00:01 node kernel: swap: usage 0kB, limit 9007199254740988kB, failcnt 0
Aug  6 12:00:01 node kernel: Memory cgroup stats for /docker/abc:
Aug  6 12:00:01 node kernel: anon 130023424
                             file 2207744
                             kernel 1298432
                             inactive_file 4096
Aug  6 12:00:01 node kernel: Tasks state (memory values in pages):
Aug  6 12:00:01 node kernel: oom-kill:constraint=CONSTRAINT_MEMCG,oom_memcg=/docker/abc,task_memcg=/docker/abc,task=stress,pid=9,uid=0
Aug  6 12:00:01 node kernel: Memory cgroup out of memory: Killed process 9 (stress) total-vm:1kB, anon-rss:126976kB, UID:0
";

fn check_v1(text: &str) {
    assert!(is_report(text));
    let readings = read(text);
    let reading = &readings[0];
    let get = |name: &str| reading.rows.get(name);
    assert_eq!(reading.version, Some(CgroupVersion::V1), "{text}");
    assert_eq!(reading.view().usage, Some(256 << 20), "{text}");
    assert_eq!(reading.limit(), Some(256 << 20), "{text}");
    assert_eq!(get("failcnt"), Some(44_718), "{text}");
    assert_eq!(get("rss"), Some(245_760 << 10), "{text}");
    assert_eq!(get("inactive_file"), Some(32 << 10), "{text}");
    assert_eq!(get("memory.kmem.usage_in_bytes"), Some(1 << 20), "{text}");
    let killed = reading.killed.as_ref().unwrap();
    assert_eq!((killed.name.as_str(), killed.pid), ("java", 4242), "{text}");
    assert_eq!(killed.anon_rss, Some(245_000 << 10), "{text}");
    assert_eq!(reading.path.as_deref(), Some("/kubepods/pod1"));
}

#[test]
fn an_old_v1_report() {
    check_v1(V1_OLD);
}

/// Copied from a terminal of any width: lines end in the middle of words and numbers.
#[test]
fn wrapped_at_any_column() {
    for width in 40..140 {
        let mut wrapped = String::new();
        for line in V1_OLD.lines() {
            let chars: Vec<char> = line.chars().collect();
            for piece in chars.chunks(width) {
                wrapped.extend(piece);
                wrapped.push('\n');
            }
        }
        let readings = read(&wrapped);
        // Rows are what matters; a name cut in the middle of the killed line may be lost.
        let reading = &readings[0];
        assert_eq!(
            reading.rows.get("rss"),
            Some(245_760 << 10),
            "width {width}"
        );
        assert_eq!(
            reading.rows.get("active_file"),
            Some(28 << 10),
            "width {width}"
        );
        assert_eq!(reading.view().usage, Some(256 << 20), "width {width}");
    }
}

#[test]
fn wrapped_at_spaces() {
    for width in [30, 50, 80] {
        let mut wrapped = String::new();
        for line in V1_OLD.lines() {
            let mut column = 0;
            for word in line.split(' ') {
                if column > 0 && column + word.len() > width {
                    wrapped.push('\n');
                    column = 0;
                }
                wrapped += word;
                wrapped.push(' ');
                column += word.len() + 1;
            }
            wrapped.push('\n');
        }
        check_v1(&wrapped);
    }
}

#[test]
fn without_time_stamps_and_quoted() {
    let bare: String = V1_OLD
        .lines()
        .map(|l| format!("> {}\r\n", &l[15..]))
        .collect();
    check_v1(&bare);
}

#[test]
fn a_v2_report_from_journald() {
    let reading = &read(V2)[0];
    assert_eq!(reading.version, Some(CgroupVersion::V2));
    assert_eq!(reading.rows.get("file"), Some(2_207_744));
    assert_eq!(reading.view().usage, Some(128 << 20));
    assert_eq!(reading.path.as_deref(), Some("/docker/abc"));
    assert_eq!(reading.killed.as_ref().unwrap().name, "stress");
}

#[test]
fn several_reports_stay_apart() {
    let readings = read(&format!("{V1_OLD}{V2}"));
    let labels: Vec<_> = readings.iter().map(|r| r.label.as_str()).collect();
    assert_eq!(
        labels,
        [
            "OOM report 1 of 2, killed java",
            "OOM report 2 of 2, killed stress"
        ]
    );
}

#[test]
fn a_machine_out_of_memory_is_a_node() {
    let reading = &read(
        "x invoked oom-killer: gfp_mask=0x0\nMem-Info:\nactive_anon:100 inactive_anon:200 isolated_anon:0\n\
         active_file:5 inactive_file:7 isolated_file:0\n slab_reclaimable:3 slab_unreclaimable:4\n mapped:1 shmem:2 pagetables:3 bounce:0\n free:50\n\
         1000 pages RAM\nOut of memory: Killed process 5 (x) total-vm:1kB, anon-rss:1kB",
    )[0];
    assert_eq!(reading.scope, Scope::Node);
    assert_eq!(reading.view().node_capacity, Some(4_096_000));
    assert_eq!(reading.view().inactive_anon, Some(200 * 4096));
}

#[test]
fn one_line_beside_memory_stat() {
    let reading = &read(
        "cache 139264\ntotal_inactive_file 16384\ntotal_rss 5\nmemory: usage 1048576kB, limit 1048576kB, failcnt 3\n",
    )[0];
    assert_eq!(reading.view().usage, Some(1 << 30));
    assert_eq!(reading.view().inactive_file, Some(16_384));
}

proptest! {
    #[test]
    fn nothing_panics(text in "(?s).{0,200}") {
        read(&text);
    }

    #[test]
    fn a_report_cut_anywhere_does_not_panic(from in 0usize..1500, to in 0usize..1500) {
        let (from, to) = (from.min(to).min(V1_OLD.len()), to.max(from).min(V1_OLD.len()));
        for reading in read(&V1_OLD[from..to]) {
            reading.view();
        }
    }
}
