//! Pastes in the shapes people leave them in issue trackers: prose around, prompts, fences glued to
//! the first line, console prefixes, tables, cut maps.

use memtide::explain::{self, Explanation, Scope, Select, input};

fn explained(text: &str) -> Explanation {
    let readings = input::read_bytes(text.as_bytes(), "a paste", None, &Select::default());
    explain::explain(readings.unwrap_or_else(|error| panic!("{error}\n{text}")))
}

fn value(explanation: &Explanation, formula: &str) -> Option<i64> {
    explanation
        .formulas
        .iter()
        .find(|f| f.formula.name == formula)
        .unwrap()
        .value
}

#[test]
fn prose_with_three_sessions_is_one_reading() {
    let explanation = explained(
        "So I looked at the cgroup. First the UUID with\n`➜  ~ kubectl get pods -o jsonpath='{.metadata.uid}'\n\
         22697648-cc63-47d6-ba97-fe420988dfc1%`\n\nSSH'ed into the node:\n```sh-4.2$ pwd\n\
         /sys/fs/cgroup/memory/kubepods/burstable/pod22697648\nsh-4.2$ cat memory.usage_in_bytes\n501346304\n\
         sh-4.2$ cat memory.max_usage_in_bytes\n524292096\n```\n```\nsh-4.2$ cat memory.limit_in_bytes\n524288000\n```\n\
         This doesn't match Prometheus, which says 300 MiB?\n",
    );
    assert_eq!(value(&explanation, "usage"), Some(501_346_304));
    assert_eq!(explanation.limit, Some(524_288_000));
    assert!(explanation.others.is_empty());
}

#[test]
fn a_fence_glued_to_the_first_line_of_a_report() {
    let explanation = explained(
        "```Nov 15 06:46:39 ip-1 kernel: [65267.03] memory: usage 262144kB, limit 262144kB, failcnt 1234\n\
         Nov 15 06:46:39 ip-1 kernel: [65267.04] Memory cgroup stats for /kubepods/pod1: cache:0KB rss:0KB active_file:0KB inactive_file:0KB\n\
         Nov 15 06:46:39 ip-1 kernel: [65267.05] Memory cgroup stats for /kubepods/pod1/a: cache:264KB rss:250000KB active_file:0KB inactive_file:20KB\n\
         Nov 15 06:46:39 ip-1 kernel: [65267.06] Killed process 11 (nginx) total-vm:100kB, anon-rss:200000kB, file-rss:0kB```\n",
    );
    assert_eq!(value(&explanation, "rss"), Some(250_000 << 10));
    assert_eq!(explanation.reading.rows.get("failcnt"), Some(1234));
    assert_eq!(explanation.reading.killed.as_ref().unwrap().name, "nginx");
}

#[test]
fn a_hypervisors_console() {
    let explanation = explained(
        "2023-12-04T10:49:30.126Z In(05) vcpu-5 - Guest: <6>[39291577.009350] memory: usage 629760kB, limit 629760kB, failcnt 55\n\
         2023-12-04T10:49:30.127Z In(05) vcpu-5 - Guest: <6>[39291577.009360] Memory cgroup stats for /kubepods/podf/c7: cache:0KB rss:613460KB inactive_file:4KB active_file:0KB\n\
         2023-12-04T10:49:30.127Z In(05) vcpu-5 - Guest: <6>[39291577.009530] [  19388]  1000 19388  5588434   138005  8069120        0           999 node\n\
         2023-12-04T10:49:30.127Z In(05) vcpu-5 - Guest: <3>[39291577.009543] Memory cgroup out of memory: Killed process 19388 (npm start) total-vm:1kB, anon-rss:118412kB\n",
    );
    assert_eq!(explanation.reading.rows.get("failcnt"), Some(55));
    assert_eq!(
        explanation.reading.killed.as_ref().unwrap().name,
        "npm start"
    );
    assert!(explanation.findings.iter().any(|f| f.code == "oom_near"));
}

#[test]
fn a_cut_map_in_a_log_line() {
    let explanation = explained(
        "63915:2024.08.06 09:02:35.737841 [ 2381 ] {} <Trace> Observer: Read 32215764992 bytes (30.00 GiB), stats: \
         {\"active_anon\": 8308387840, \"cache\": 4259840, \"rss\": 32215764992, \"shmem\": 0, \"inactive_file\": 3428352, \"total_ac",
    );
    assert_eq!(value(&explanation, "rss"), Some(32_215_764_992));
    assert!(
        explanation
            .reading
            .notes
            .iter()
            .any(|note| note.contains("cut") || note.contains("not whole"))
    );
}

#[test]
fn watch_of_two_files() {
    let explanation = explained(
        "The output from watch:\n```\nEvery 1.0s: cat /sys/fs/cgroup/memory/memory.stat /sys/fs/cgroup/memory/memory.usage_in_bytes\n\n\
         cache 0\nrss 920088576\nswap 617717760\ninactive_file 0\nactive_file 0\ntotal_rss 920088576\ntotal_inactive_file 0\n1073741824\n```\n",
    );
    assert_eq!(value(&explanation, "usage"), Some(1 << 30));
    assert!(explanation.findings.iter().any(|f| f.code == "swapped"));
}

#[test]
fn a_table_with_thousands_separators() {
    let explanation = explained(
        "| metric | value |\n|---|---|\n| memory.current | 4,831,838,208 |\n| memory.max | 5,368,709,120 |\n\
         | anon | 1,073,741,824 |\n| file | 3,221,225,472 |\n| inactive_file | 1,073,741,824 |\n| active_file | 2,147,483,648 |\n",
    );
    assert_eq!(
        value(&explanation, "cadvisor_working_set"),
        Some(3_758_096_384)
    );
    assert_eq!(explanation.limit, Some(5_368_709_120));
}

#[test]
fn sizes_with_units_and_remarks() {
    let explanation = explained(
        "Process RSS:      8.47 GiB\nanon:             7.75 GiB\nkernel:           4.22 GiB  (of which slab_reclaimable = 3.85 GiB)\n\
         MemoryTracking:  11.99 GiB  (inflated ~42% vs real RSS)\n",
    );
    assert_eq!(
        explanation.reading.rows.get("slab_reclaimable"),
        Some(4_133_906_022)
    );
    assert!(explanation.findings.iter().any(|f| f.code == "slab"));
}

#[test]
fn a_node_with_its_meminfo_twice() {
    let explanation = explained(
        "$ cat /proc/meminfo\nMemTotal:         501800 kB\nMemFree:           13808 kB\nInactive(file):    68132 kB\n\
         VmallocTotal:   34359738367 kB\n$ cat /sys/devices/system/node/node*/meminfo\nNode 0 MemTotal:         501800 kB\n",
    );
    assert_eq!(explanation.reading.scope, Scope::Node);
    assert_eq!(
        value(&explanation, "cadvisor_working_set"),
        Some((501_800 - 13_808 - 68_132) << 10)
    );
}

#[test]
fn labels_with_spaces_and_no_time_stamps() {
    let explanation = explained(
        "container_memory_working_set_bytes{container=\"web\", pod=\"web-1\", namespace=\"prod\"} 1.073741824e9\n\
         container_memory_usage_bytes{container=\"web\", pod=\"web-1\", namespace=\"prod\"} 1.610612736e9\n",
    );
    assert_eq!(value(&explanation, "docker_stats"), Some(1_073_741_824));
    assert_eq!(explanation.reading.label, "container web of pod web-1");
}

#[test]
fn the_answer_of_prometheus() {
    let explanation = explained(
        r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"container_memory_working_set_bytes","container":"web","pod":"web-1"},"value":[1626540112.26,"1073741824"]},{"metric":{"__name__":"container_memory_usage_bytes","container":"web","pod":"web-1"},"value":[1626540112.26,"1610612736"]}]}}"#,
    );
    assert_eq!(value(&explanation, "usage"), Some(1_610_612_736));
    assert_eq!(value(&explanation, "kubectl_top"), Some(1 << 30));
}

#[test]
fn only_the_last_two_lines_of_a_report() {
    let explanation = explained(
        "[Tue Mar  5 10:11:12 2024] oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),oom_memcg=/kubepods.slice/pod1.slice,task=java,pid=12345,uid=1000\n\
         [Tue Mar  5 10:11:12 2024] Memory cgroup out of memory: Killed process 12345 (java) total-vm:10123456kB, anon-rss:2096128kB, file-rss:0kB\n",
    );
    assert_eq!(
        explanation.reading.path.as_deref(),
        Some("/kubepods.slice/pod1.slice")
    );
    let killed = explanation
        .findings
        .iter()
        .find(|f| f.code == "oom_killed")
        .unwrap();
    assert!(killed.sentence.contains("2.0 GiB"), "{}", killed.sentence);
}

fn sentence(explanation: &Explanation, code: &str) -> String {
    let found = explanation.findings.iter().find(|f| f.code == code);
    found
        .unwrap_or_else(|| panic!("no {code}"))
        .sentence
        .clone()
}

#[test]
fn a_report_of_the_whole_machine_blames_no_limit() {
    let explanation = explained(
        "[ 1.2] chrome invoked oom-killer: gfp_mask=0x140cca(GFP_HIGHUSER_MOVABLE), order=0\n[ 1.2] Mem-Info:\n\
         [ 1.2] active_anon:1234567 inactive_anon:654321 isolated_anon:0\n active_file:123 inactive_file:456\n\
         shmem:3000 free:25000\n[ 1.3] 2097152 pages RAM\n\
         [ 1.3] Out of memory: Killed process 43 (chrome) total-vm:5000kB, anon-rss:2000kB\n",
    );
    assert_eq!(explanation.reading.scope, Scope::Node);
    assert_eq!(explanation.reading.cgroup(), None);
    let killed = sentence(&explanation, "oom_killed");
    assert!(
        killed.contains("whole machine") && !killed.contains("against the limit"),
        "{killed}"
    );
    let docker = explanation
        .formulas
        .iter()
        .find(|f| f.formula.name == "docker_stats");
    assert!(
        docker.unwrap().printed.is_empty(),
        "docker stats shows no nodes"
    );
}

#[test]
fn a_report_of_v1_under_v2s_names() {
    let text = "[Wed Jun 17 10:37:10 2020] memory: usage 1048576kB, limit 1048576kB, failcnt 153\n\
         [Wed Jun 17 10:37:10 2020] memory+swap: usage 1048576kB, limit 9007199254740988kB, failcnt 0\n\
         [Wed Jun 17 10:37:10 2020] kmem: usage 10568kB, limit 9007199254740988kB, failcnt 0\n\
         [Wed Jun 17 10:37:10 2020] Memory cgroup stats for /kubepods/pod2:\n\
         [Wed Jun 17 10:37:10 2020] anon 1062739968\n   file 0\n   kernel_stack 0\n   slab 2801664\n   shmem 0\n\
         inactive_anon 0\n   active_anon 1062469632\n   inactive_file 0\n   active_file 0\n\
         [Wed Jun 17 10:37:10 2020] Memory cgroup out of memory: Killed process 12 (qemu) total-vm:1kB, anon-rss:104kB\n";
    let explanation = explained(text);
    let v1 = Some(memtide::rows::CgroupVersion::V1);
    assert_eq!(explanation.reading.cgroup(), v1);
    assert_eq!(value(&explanation, "usage"), Some(1 << 30));
    assert_eq!(value(&explanation, "rss"), Some(1_062_739_968));
    assert_eq!(explanation.limit, Some(1 << 30));
    assert_eq!(explanation.parts.kernel, Some(10_568 << 10));
    assert!(
        explanation
            .reading
            .notes
            .iter()
            .any(|note| note.contains("v1"))
    );
    let hit = sentence(&explanation, "limit_hit");
    assert!(
        !hit.contains("normal"),
        "nothing is normal about a kill: {hit}"
    );
}

#[test]
fn what_docker_and_kubectl_print() {
    let docker = explained(
        "CONTAINER ID   NAME  CPU %   MEM USAGE / LIMIT     MEM %   NET I/O   PIDS\n\
         c137012d8af9   db    0.05%   329.6MiB / 2.868GiB   11.22%  24.6GB / 29.5GB  31\n\
         d137012d8af9   web   0.05%   1.6GiB / 2.868GiB     55.8%   24.6GB / 29.5GB  31\n",
    );
    assert_eq!(docker.reading.label, "web", "the largest is meant");
    assert_eq!(docker.others, ["db"]);
    assert_eq!(value(&docker, "docker_stats"), Some(1_717_986_918));
    assert_eq!(value(&docker, "usage"), None, "it does not print usage");
    assert!(sentence(&docker, "printed_only").contains("56 % of the limit"));
    let top = explained("NAME   CPU(cores)   MEMORY(bytes)\nweb-1   3m   245Mi\n");
    let printed = top
        .formulas
        .iter()
        .find(|f| f.formula.name == "kubectl_top")
        .unwrap();
    assert_eq!(
        printed.printed[0].1, "245Mi",
        "what was pasted comes out again"
    );
}

#[test]
fn memory_events_without_its_name() {
    let explanation = explained("low 0\nhigh 0\nmax 15230\noom 3\noom_kill 2\noom_group_kill 0\n");
    assert_eq!(
        explanation.reading.rows.get("memory.events:max"),
        Some(15_230)
    );
    assert!(sentence(&explanation, "oom_killed").contains("2 processes"));
}

#[test]
fn rows_new_kernels_have_are_kept_without_a_heading() {
    let explanation = explained(
        "anon 512345600\nfile 301989888\npgscan_kswapd 5\npgsteal_direct 6\npgdemote_kswapd 7\npgpromote_success 8\n\
         zswpin 9\nzswpout 10\nthp_fault_alloc 11\nhugetlb 12\n",
    );
    assert_eq!(explanation.reading.rows.iter().count(), 10);
}

#[test]
fn a_mistake_is_named_with_the_next_step() {
    for (text, looks) in [
        (
            "{container=\"app\", namespace=\"prod\", pod=\"web-1\"} 635387392\n",
            "without the metric's name",
        ),
        (
            "    State:     Running\n    Limits:\n      memory:  512Mi\n    Requests:\n      memory:  256Mi\n",
            "describe",
        ),
        ("", "empty"),
        (
            "nr_free_pages 113\nnr_inactive_file 378763\npgpgin 15577969\npgfault 30284063507\n",
            "/proc/vmstat",
        ),
        ("835387392\n", "without its name"),
    ] {
        let error =
            input::read_bytes(text.as_bytes(), "a paste", None, &Select::default()).unwrap_err();
        let message = error.to_string();
        assert!(
            message.contains(looks) && message.contains("; paste "),
            "{message}"
        );
    }
}

#[test]
fn a_table_of_before_and_after_is_two_readings() {
    let explanation = explained(
        "| Row | Before | After | Change |\n|---|---|---|---|\n| memory.current | 100,000,000 | 835,387,392 | +700 % |\n\
         | anon | 50,000,000 | 512,345,600 | - |\n| inactive_file | 10,000 | 200,000,000 | - |\n",
    );
    assert_eq!(explanation.reading.label, "After");
    assert_eq!(explanation.others, ["Before"]);
    assert_eq!(
        value(&explanation, "cadvisor_working_set"),
        Some(635_387_392)
    );
}

#[test]
fn greps_output_over_several_containers_keeps_them_apart() {
    // The second has the same inactive_file: only the directory tells them apart.
    let explanation = explained(
        "/sys/fs/cgroup/a.scope/memory.current:835387392\n/sys/fs/cgroup/a.scope/memory.stat:inactive_file 20000000\n\
         /sys/fs/cgroup/b.scope/memory.current:100000000\n/sys/fs/cgroup/b.scope/memory.stat:inactive_file 20000000\n",
    );
    assert_eq!(explanation.reading.label, "/sys/fs/cgroup/b.scope");
    assert_eq!(explanation.others, ["/sys/fs/cgroup/a.scope"]);
    assert_eq!(
        value(&explanation, "cadvisor_working_set"),
        Some(80_000_000)
    );
}

#[test]
fn a_value_that_cannot_be_one_is_named_and_left_out() {
    for bad in [
        "memory.current -5",
        "memory.current 0x31cb5000",
        "memory.current 99999999999999999999999",
    ] {
        let explanation = explained(&format!("{bad}\nanon 512345600\nfile 301989888\n"));
        assert_eq!(value(&explanation, "usage"), None, "{bad}");
        let notes = &explanation.reading.notes;
        assert!(
            notes
                .iter()
                .any(|note| note.starts_with("memory.current is left out")),
            "{bad}: {notes:?}"
        );
    }
}

#[test]
fn names_without_their_file_and_a_cri_without_a_limit() {
    let named = explained(
        "usage_in_bytes = 2869575680\nlimit_in_bytes = 3221225472\ntotal_inactive_file = 2653802496\n",
    );
    assert_eq!(value(&named, "cadvisor_working_set"), Some(215_773_184));
    assert_eq!(named.limit, Some(3 << 30));
    assert!(named.others.is_empty());
    let cri = explained(
        r#"{"stats":[{"attributes":{"id":"ab","metadata":{"name":"app"}},"memory":{"workingSetBytes":{"value":"635387392"},"availableBytes":{"value":"0"},"usageBytes":{"value":"835387392"}}}]}"#,
    );
    assert_eq!(cri.limit, None, "0 is no limit, not one that is reached");
}

#[test]
fn a_copied_tree_is_searched_and_numa_stat_is_no_memory_stat() {
    let dir = tempfile::tempdir().unwrap();
    for (name, usage) in [("web", "835387392"), ("db", "100000000")] {
        let folder = dir.path().join("kubepods").join(name);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("memory.current.txt"), usage).unwrap();
        std::fs::write(
            folder.join("memory.stat"),
            "anon 50000000\nfile 20000000\ninactive_file 10000000\n",
        )
        .unwrap();
    }
    let select = Select {
        at: Some("/web".into()),
        ..Select::default()
    };
    let explanation = explain::explain(input::read_path(dir.path(), &select).unwrap());
    assert_eq!(value(&explanation, "usage"), Some(835_387_392));
    assert_eq!(explanation.others.len(), 1);
    let pages = "total=235000 N0=235000\nfile=100000 N0=100000\nanon=135000 N0=135000\n";
    let error = input::read_bytes(pages.as_bytes(), "x", None, &Select::default()).unwrap_err();
    assert!(error.to_string().contains("numa_stat"), "{error}");
}

#[test]
fn the_kernels_choice_where_the_last_line_was_cut() {
    let explanation = explained(
        "memory: usage 524288kB, limit 524288kB, failcnt 5\nMemory cgroup stats for /x:\nanon 522000000\nfile 4096\n\
         oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=x,mems_allowed=0,oom_memcg=/x,task_memcg=/x,task=app,pid=3,uid=0\n",
    );
    assert!(sentence(&explanation, "oom_killed").contains("killed app (pid 3)"));
}

#[test]
fn records_of_dev_kmsg_and_the_limit_of_memory_and_swap() {
    let explanation = explained(
        "6,30574068,3816544225428,-;memory: usage 32461120kB, limit 33554432kB, failcnt 0\n\
         6,30574069,3816544225429,-;memory+swap: usage 35651584kB, limit 35651584kB, failcnt 24892068\n\
         6,30574070,3816544225429,-;kmem: usage 471440kB, limit 9007199254740988kB, failcnt 0\n\
         6,30574071,3816544225430,-;Memory cgroup stats for /a: cache:28030012KB rss:3958288KB shmem:28013264KB swap:3190836KB inactive_file:7596KB active_file:468KB\n\
         6,30574074,3816544225490,-;Memory cgroup out of memory: Killed process 7093 (java) total-vm:1kB, anon-rss:1968776kB, file-rss:0kB\n",
    );
    assert_eq!(value(&explanation, "usage"), Some(32_461_120 << 10));
    let limit = sentence(&explanation, "swap_limit_hit");
    assert!(
        limit.contains("34.0 GiB") && limit.contains("24892068 times"),
        "{limit}"
    );
}

#[test]
fn rows_of_kubectl_top_without_a_heading_and_a_tree() {
    let top = explained(
        "$ kubectl top pod -n x | grep stock\nstock-4gmr6   5m   3266Mi\nstock-px8bt   4m   3363Mi \n",
    );
    assert_eq!(top.reading.pod.as_deref(), Some("stock-px8bt"));
    assert_eq!(value(&top, "cadvisor_working_set"), Some(3363 << 20));
    let tree = explained(
        "/sys/fs/cgroup/\n├── my-app/\n│   ├── memory.max: 4G    # hard\n│   └── memory.current: 2.5G  # now\n",
    );
    assert_eq!(value(&tree, "usage"), Some(5 << 29));
    assert_eq!(tree.limit, Some(4 << 30));
}

#[test]
fn the_next_command_fits_both_versions_where_it_is_not_known_which() {
    let command = |text: &str| {
        let explanation = explained(text);
        let open = explanation
            .unknown
            .iter()
            .find(|open| open.what == "the limit");
        open.unwrap().command.to_string()
    };
    let either = command("NAME CPU(cores) MEMORY(bytes)\nweb-1 3m 245Mi\n");
    assert_eq!(
        either,
        "cat memory.max (on cgroup v1: cat memory.limit_in_bytes)"
    );
    assert_eq!(
        command("memory.current 5000000\nanon 5\n"),
        "cat memory.max"
    );
    assert_eq!(
        command("memory.usage_in_bytes 5000000\ntotal_rss 5\n"),
        "cat memory.limit_in_bytes"
    );
}
