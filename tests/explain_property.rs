//! Generated pastes of every form, with rows left out, doubled, scaled and mixed: no share above
//! 100 %, no size below zero, no NaN, nothing outside its bounds, unless the answer is the
//! contradiction.

use memtide::explain::{self, Select, input};
use proptest::prelude::*;
use serde_json::Value;

const KIB: u64 = 1024;

/// Rows of a true container: parts that add up.
fn rows(parts: &[u64]) -> Vec<(&'static str, u64)> {
    let [anon, shmem, inactive, active, slab, stacks, sock] = parts[..] else {
        unreachable!("seven parts are generated")
    };
    let file = shmem + inactive + active;
    vec![
        ("memory.current", anon + file + slab + stacks + sock),
        ("anon", anon),
        ("file", file),
        ("kernel", slab + stacks),
        ("kernel_stack", stacks),
        ("sock", sock),
        ("shmem", shmem),
        ("inactive_anon", anon + shmem),
        ("active_anon", 0),
        ("inactive_file", inactive),
        ("active_file", active),
        ("slab_reclaimable", slab),
    ]
}

/// What goes wrong with a paste on its way.
#[derive(Debug, Clone)]
struct Harm {
    left_out: Vec<bool>,
    scaled: Option<(usize, u64)>,
    doubled: bool,
}

fn harmed(rows: Vec<(&'static str, u64)>, harm: &Harm) -> Vec<(&'static str, u64)> {
    let mut rows: Vec<_> = rows
        .into_iter()
        .zip(harm.left_out.iter().chain(std::iter::repeat(&false)))
        .filter(|(_, out)| !**out)
        .map(|(row, _)| row)
        .collect();
    if let Some((at, factor)) = harm.scaled {
        let count = rows.len().max(1);
        if let Some(row) = rows.get_mut(at % count) {
            row.1 = row.1.saturating_mul(factor);
        }
    }
    if harm.doubled {
        rows.extend(rows.clone());
    }
    rows
}

fn lines(rows: &[(&str, u64)], line: impl Fn(&str, u64) -> String) -> String {
    rows.iter()
        .map(|(name, value)| line(name, *value))
        .collect()
}

/// A paste of the form of that number.
fn paste(form: usize, parts: &[u64], harm: &Harm) -> String {
    let rows = harmed(rows(parts), harm);
    let get = |name: &str| rows.iter().find(|(n, _)| *n == name).map_or(0, |(_, v)| *v);
    let (usage, file) = (get("memory.current"), get("file"));
    let total = usage + 4096 * KIB;
    match form % FORMS {
        0 => lines(&rows, |name, value| format!("{name} {value}\n")),
        1 => lines(&rows, |name, value| match name {
            "memory.current" => format!("memory.usage_in_bytes {value}\n"),
            "anon" => format!("total_rss {value}\n"),
            "file" => format!("total_cache {value}\n"),
            name => format!("total_{name} {value}\n"),
        }),
        2 => format!(
            "memory: usage {}kB, limit {}kB, failcnt 5\nMemory cgroup stats for /kubepods/pod1/a:\n{}",
            usage / KIB,
            usage / KIB,
            lines(&rows[1.min(rows.len())..], |name, value| format!(
                "{name} {value}\n"
            ))
        ),
        3 => format!(
            "Memory cgroup stats for /docker/a: {}\nKilled process 7 (x y) total-vm:1kB, anon-rss:{}kB\n",
            lines(&rows, |name, value| format!(
                "{} ",
                format_args!("{}:{}KB", name.replace("anon", "rss"), value / KIB)
            )),
            get("anon") / KIB
        ),
        4 => format!(
            "container_memory_usage_bytes{{pod=\"p\"}} {usage}\ncontainer_memory_working_set_bytes{{pod=\"p\"}} {}\ncontainer_memory_rss{{pod=\"p\"}} {}\n",
            usage.saturating_sub(get("inactive_file")),
            get("anon")
        ),
        5 => lines(&rows, |name, value| {
            format!(
                "{}: {} kB\n",
                match name {
                    "memory.current" => "MemTotal",
                    "anon" => "AnonPages",
                    "file" => "Cached",
                    "kernel" => "MemFree",
                    "kernel_stack" => "MemAvailable",
                    "sock" => "Buffers",
                    "shmem" => "Shmem",
                    "inactive_anon" => "Inactive(anon)",
                    "active_anon" => "Active(anon)",
                    "inactive_file" => "Inactive(file)",
                    "active_file" => "Active(file)",
                    _ => "SReclaimable",
                },
                value / KIB
            )
        }),
        6 => format!(
            "total used free shared buff/cache available\nMem: {} {} {} {} {} {}\n",
            total / KIB,
            usage / KIB,
            4096,
            get("shmem") / KIB,
            file / KIB,
            file / KIB + 4096
        ),
        7 => format!(
            "NAME CPU % MEM USAGE / LIMIT MEM %\nweb 1% {}MiB / {}MiB 5%\n",
            usage >> 20,
            total >> 20
        ),
        8 => format!(
            "{{\"memory\":{{\"usageBytes\":{usage},\"workingSetBytes\":{},\"rssBytes\":{}}}}}",
            usage.saturating_sub(get("inactive_file")),
            get("anon")
        ),
        9 => format!(
            "Memory: {}M (max: {}M swap max: 1.0M peak: {}M)\n",
            usage >> 20,
            total >> 20,
            usage >> 20
        ),
        10 => format!(
            "x invoked oom-killer: gfp_mask=0x0()\nMem-Info:\nactive_anon:{} inactive_anon:{}\nactive_file:{} inactive_file:{}\nslab_reclaimable:{}\nfree:{}\n",
            get("active_anon") / 4096,
            get("inactive_anon") / 4096,
            get("active_file") / 4096,
            get("inactive_file") / 4096,
            get("slab_reclaimable") / 4096,
            get("sock") / 4096
        ),
        11 => format!(
            "10:00 {} KiB\n11:00 {} KiB\n12:00 {} KiB\n",
            usage / KIB + 4,
            file / KIB + 4,
            get("anon") / KIB + 4
        ),
        form => of_tools(form, usage, total, &get),
    }
}

/// How many forms there are.
const FORMS: usize = 30;

/// The forms of tools and runtimes.
fn of_tools(form: usize, usage: u64, total: u64, get: &dyn Fn(&str) -> u64) -> String {
    let (anon, inactive) = (get("anon"), get("inactive_file"));
    let working_set = usage.saturating_sub(inactive);
    let mib = |bytes: u64| bytes >> 20;
    match form {
        12 => format!(
            "NAME CPU(cores) MEMORY(bytes)\nweb-1 3m {}Mi\n",
            mib(working_set)
        ),
        13 => format!(
            "CONTAINER NAME CPU % MEM DISK INODES\n0123 app 0.10 {}MB 1MB 45\n",
            working_set / 1_000_000
        ),
        14 => format!(
            "USER PID %CPU %MEM VSZ RSS TTY STAT START TIME COMMAND\nroot 7 0 0 9 {} ? S 10:00 0:00 java\n",
            anon / KIB
        ),
        15 => format!(
            "Rss: {} kB\nPss: {} kB\nAnonymous: {} kB\n",
            (anon + inactive) / KIB,
            anon / KIB,
            anon / KIB
        ),
        16 => format!(
            "OBJS ACTIVE USE OBJ SIZE SLABS OBJ/SLAB CACHE SIZE NAME\n{} {} 100% 0.19K 9 21 {}K dentry\n",
            get("slab_reclaimable") / 192,
            get("slab_reclaimable") / 192,
            get("slab_reclaimable") / KIB
        ),
        17 => format!(
            "procs memory swap io system cpu\nr b swpd free buff cache si so\n1 0 {} {} 0 {} 0 0\n1 0 0 {} 0 0 {} {}\n",
            get("shmem") / KIB,
            usage / KIB,
            inactive / KIB,
            anon / KIB,
            get("sock") / KIB,
            get("kernel") / KIB
        ),
        18 => format!(
            "Native Memory Tracking:\nTotal: reserved={}KB, committed={}KB\n- Java Heap (reserved=9KB, committed={}KB)\n",
            usage / KIB,
            usage / KIB,
            anon / KIB
        ),
        19 => format!("MemoryCurrent={usage}\nMemoryMax={total}\nMemoryPeak={usage}\n"),
        20 => format!(
            "SwapUse {} CachUse {} MemUse {} MemFree {}\n",
            get("shmem") / KIB,
            inactive / KIB,
            anon / KIB,
            get("sock") / KIB
        ),
        21 => format!(
            "nomad_client_allocs_memory_usage{{task=\"t\"}} {usage}\nnomad_client_allocs_memory_rss{{task=\"t\"}} {anon}\nnomad_client_allocs_memory_allocated{{task=\"t\"}} {total}\n"
        ),
        22 => format!(
            "{{\"memory_stats\":{{\"usage\":{usage},\"limit\":{total},\"stats\":{{\"anon\":{anon},\"inactive_file\":{inactive},\"file\":{},\"ker",
            get("file")
        ),
        23 => format!(
            "gc 1 @1.0s 0%: 0+0+0 ms clock, 0+0/0/0+0 ms cpu, {}->{}->{} MB, 9 MB goal, 4 P\ngc 2 @2.0s 0%: 0+0+0 ms clock, 0+0/0/0+0 ms cpu, 9->9->{} MB, 9 MB goal, 4 P\n",
            mib(usage),
            mib(usage),
            mib(anon),
            mib(inactive)
        ),
        24 => format!(
            "# Memory\nused_memory:{anon}\nused_memory_rss:{usage}\nused_memory_dataset:{}\n",
            anon / 2
        ),
        25 => format!(
            "The node was low on resource: memory. Threshold quantity: 100Mi, available: {}Ki. Container web was using {}Ki, request is {}Ki, has larger consumption of memory. ",
            get("sock") / KIB,
            working_set / KIB,
            anon / KIB
        ),
        26 => format!(
            "node 0 size: {} MB\nnode 0 free: {} MB\nnode 1 size: {} MB\nnode 1 free: {} MB\n",
            mib(total),
            mib(get("sock")),
            mib(total),
            mib(anon)
        ),
        27 => format!(
            "{}: page allocation failure: order:{}, mode:0x20\n",
            "app",
            anon % 40
        ),
        28 => format!(
            "2026-05-01T10:00:00Z web-1 5m {}Mi\n2026-05-01T11:00:00Z web-1 5m {}Mi\n",
            mib(working_set),
            mib(anon)
        ),
        _ => format!(
            "12: java -jar a\nAddress Kbytes RSS Dirty Mode Mapping\n00007f6990000000 {} {} 9 rwx-- [ anon ]\n",
            usage / KIB,
            anon / KIB
        ),
    }
}

/// What is wrong with the answer to a text; none if nothing is.
fn wrong(text: &str) -> Option<String> {
    let readings = input::read_bytes(text.as_bytes(), "a paste", None, &Select::default()).ok()?;
    let explanation = explain::explain(readings);
    let answer = &explanation.answer;
    if answer.code == "contradiction" {
        return None;
    }
    if explanation.contradictions.iter().any(|what| !what.settled) {
        // A kill or a comparison may come first: then the table below it is left out.
        return None;
    }
    let document = serde_json::to_value(explain::wire::Document::from(&explanation)).ok()?;
    for sentence in explanation
        .findings
        .iter()
        .map(|f| &f.sentence)
        .chain([&answer.sentence])
    {
        // A difference may go down.
        let may_fall = ["difference", "falls", "grows", "steady"].contains(&answer.code);
        let below_zero = sentence
            .as_bytes()
            .windows(3)
            .any(|w| matches!(w[0], b' ' | b'(') && w[1] == b'-' && w[2].is_ascii_digit());
        let no_number = ["NaN", "inf ", "inf%"]
            .iter()
            .any(|bad| sentence.contains(bad));
        if no_number || below_zero && !may_fall {
            return Some(format!("no size in {sentence}"));
        }
        for part in sentence
            .split(" %")
            .filter_map(|part| part.rsplit(['(', ' ']).next())
        {
            if part.parse::<f64>().is_ok_and(|share| share > 100.0)
                && !sentence.contains("of the limit")
                && !sentence.contains("/ ")
            {
                return Some(format!("{part} % in {sentence}"));
            }
        }
    }
    for (row, share) in document["shares"].as_object()? {
        if share["of_usage_percent"]
            .as_f64()
            .is_some_and(|share| !(0.0..=100.0).contains(&share))
        {
            return Some(format!("{row}: {share}"));
        }
    }
    for (name, value) in document["bounds"].as_object()? {
        let (least, most) = (&value["least"], &value["most"]);
        if least
            .as_i64()
            .zip(most.as_i64())
            .is_some_and(|(least, most)| least > most)
        {
            return Some(format!("{name}: {value}"));
        }
        let quantity = document["parts"].get(name.as_str()).and_then(Value::as_i64);
        if quantity.is_some_and(|q| most.as_i64().is_some_and(|most| q > most)) {
            return Some(format!("{name} {quantity:?} above {most}"));
        }
    }
    for (formula, bound) in [
        ("cadvisor_working_set", "working_set"),
        ("rss", "anon"),
        ("usage", "usage"),
    ] {
        let value = document["formulas"][formula].as_i64();
        let (least, most) = (
            document["bounds"][bound]["least"].as_i64(),
            document["bounds"][bound]["most"].as_i64(),
        );
        let outside = value.is_some_and(|v| {
            least.is_some_and(|least| v < least) || most.is_some_and(|most| v > most)
        });
        if outside && document["scope"] == "cgroup" {
            return Some(format!("{formula} {value:?} outside {least:?} to {most:?}"));
        }
    }
    let parts = document["parts"].as_object()?;
    let total = parts["total"].as_u64()?;
    let over = parts
        .iter()
        .find(|(_, v)| v.as_u64().is_some_and(|v| v > total + total / 8));
    over.map(|(name, value)| format!("part {name} {value} of {total}"))
}

/// As many as CI has time for, or as the variable says.
fn cases() -> u32 {
    let told = std::env::var("PROPTEST_CASES").ok();
    told.and_then(|cases| cases.parse().ok()).unwrap_or(10_000)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn no_paste_gives_nonsense(
        forms in (0usize..FORMS, 0usize..FORMS),
        mixed in prop::bool::weighted(0.3),
        parts in proptest::collection::vec(prop_oneof![Just(0u64), (0u64..1 << 24).prop_map(|pages| pages * 4096)], 7),
        left_out in proptest::collection::vec(prop::bool::weighted(0.3), 12),
        scaled in proptest::option::weighted(0.3, (0usize..12, prop_oneof![Just(10u64), Just(1000), Just(1024), Just(1 << 20)])),
        doubled in prop::bool::weighted(0.1),
    ) {
        let harm = Harm { left_out, scaled, doubled };
        let mut text = paste(forms.0, &parts, &harm);
        if mixed {
            text += &paste(forms.1, &parts, &harm);
        }
        let found = wrong(&text);
        prop_assert!(found.is_none(), "{}\n{text}", found.unwrap_or_default());
    }
}
