//! Lists of processes (top, ps, smem, pmap -x) and of kernel objects (slabtop, /proc/slabinfo).

use std::collections::HashMap;

use crate::explain::clean::words;
use crate::explain::kinds::{Cache, Process, Series};
use crate::explain::{Reading, What, number};

/// The lists among the lines.
pub fn read(lines: &[String]) -> Vec<Reading> {
    let others = [mapped(lines), slabs(lines), programs(lines), counted(lines)];
    processes(lines)
        .into_iter()
        .chain(others.into_iter().flatten())
        .collect()
}

/// A size in KiB where it has no unit.
fn kib(word: &str) -> Option<u64> {
    number::in_unit(word, 1024)
}

/// The reading of one process that a tool tells of.
fn one(source: &'static str, process: Process) -> Option<Reading> {
    let list = What::Processes(vec![process]);
    Some(Reading::told(source, "a process", list))
}

/// The columns of a list of processes.
struct Columns<'a> {
    head: Vec<&'a str>,
    /// smem's sizes stand last, top's and ps's command does.
    from_right: bool,
}

impl<'a> Columns<'a> {
    /// Where the rows begin, and what their columns are.
    fn of(lines: &'a [String]) -> Option<(usize, Columns<'a>)> {
        let (at, head) = lines.iter().enumerate().find_map(|(at, line)| {
            let words = words(line);
            let named = |names: &[&str]| names.iter().any(|name| words.contains(name));
            // `ps -o rss,cmd` has no pid, `smem -u` sums up by user.
            let heading = named(&["RES", "RSS"])
                && (named(&["PID"])
                    || named(&["CMD", "COMMAND"]) && words.len() <= 4
                    || named(&["User"]) && named(&["Count"]));
            match heading {
                true => Some((at + 1, words)),
                false => Some((at, headless(&words)?.split(' ').collect())),
            }
        })?;
        let from_right = matches!(head.last(), Some(&("RSS" | "PSS" | "Swap")));
        Some((at, Columns { head, from_right }))
    }

    fn place(&self, names: &[&str]) -> Option<usize> {
        self.head.iter().position(|word| names.contains(word))
    }

    fn size(&self, words: &[&str], names: &[&str]) -> Option<u64> {
        let mut at = self.place(names)?;
        if self.from_right {
            at = (words.len() + at).checked_sub(self.head.len())?;
        }
        kib(words.get(at)?)
    }

    /// A row's pid, where the table has them, and its process.
    fn row<'b>(&self, words: &[&'b str]) -> Option<(Option<&'b str>, Process)> {
        let pid = self
            .place(&["PID"])
            .map(|at| words.get(at).copied().unwrap_or(""));
        if words.len() < self.head.len() || pid.is_some_and(|pid| pid.parse::<u32>().is_err()) {
            return None;
        }
        let named = self
            .place(&["COMMAND", "Command", "CMD"])
            .or(self.place(&["User"]));
        // Past the marks of a tree of processes.
        let mut command = words[named.unwrap_or(self.head.len() - 1)..].iter();
        let name = command.find(|word| word.contains(char::is_alphanumeric))?;
        let process = Process {
            name: name
                .rsplit('/')
                .next()
                .unwrap_or(name)
                .trim_end_matches("**")
                .to_string(),
            rss: self.size(words, &["RES", "RSS"])?,
            pss: self.size(words, &["PSS"]),
            private: self.size(words, &["USS"]),
            swap: self.size(words, &["Swap", "SWAP"]),
            ..Process::default()
        };
        Some((pid, process))
    }
}

/// A process of a list, as it was last listed, and its sizes in all the lists.
struct Listed<'a> {
    pid: Option<&'a str>,
    process: Process,
    points: Vec<(f64, u64)>,
}

/// A table with a PID and a resident size; a process that is in it several times is a series, too.
fn processes(lines: &[String]) -> Vec<Reading> {
    let Some((at, columns)) = Columns::of(lines) else {
        return Vec::new();
    };
    // A process that is listed again is the same one later.
    let (mut found, mut places) = (Vec::<Listed>::new(), HashMap::new());
    for line in &lines[at..] {
        let words = words(line.trim_start_matches("**"));
        let Some((pid, process)) = columns.row(&words) else {
            continue;
        };
        // Where there are no pids each row is a process of its own.
        let key = pid.unwrap_or("");
        let at = *places.entry(key).or_insert(found.len());
        match found.get_mut(at).filter(|_| pid.is_some()) {
            Some(known) => {
                known.points.push((known.points.len() as f64, process.rss));
                known.process = process;
            }
            None => {
                let points = vec![(0.0, process.rss)];
                found.push(Listed {
                    pid,
                    process,
                    points,
                });
            }
        }
    }
    let source = if columns.from_right {
        "smem"
    } else {
        "top or ps"
    };
    let again = found.iter().filter(|known| known.points.len() > 1);
    let moved = again.max_by_key(|known| known.process.rss).map(|known| {
        let series = Series {
            untimed: true,
            ..Series::of("rss", known.points.clone())
        };
        let label = format!("{} (pid {})", known.process.name, known.pid.unwrap_or(""));
        Reading::told(source, label, What::Series(series))
    });
    let list: Vec<Process> = found.into_iter().map(|known| known.process).collect();
    let list =
        (!list.is_empty()).then(|| Reading::told(source, "processes", What::Processes(list)));
    list.into_iter().chain(moved).collect()
}

/// The heading of a line of `ps aux` or `top` whose heading was cut off, as `| grep` does.
fn headless(words: &[&str]) -> Option<&'static str> {
    let whole = |at: usize| words[at].parse::<u64>().ok();
    let share = |at: usize| words[at].contains('.') && words[at].parse::<f64>().is_ok();
    let state = |at: usize| words[at].starts_with(['R', 'S', 'D', 'T', 'Z', 'I', 't']);
    if words.len() < 11 {
        return None;
    }
    let ps = whole(1).is_some()
        && share(2)
        && share(3)
        && whole(5).is_some()
        && whole(4) >= whole(5)
        && state(7);
    let top = || {
        words.len() > 11
            && whole(0).is_some()
            && kib(words[5]).is_some()
            && state(7)
            && share(8)
            && share(9)
    };
    match () {
        () if ps => Some("USER PID %CPU %MEM VSZ RSS TTY STAT START TIME COMMAND"),
        () if top() => Some("PID USER PR NI VIRT RES SHR S %CPU %MEM TIME+ COMMAND"),
        () => None,
    }
}

/// ps_mem: `512.8 MiB +   8.2 MiB = 521.0 MiB java (2)`.
fn programs(lines: &[String]) -> Option<Reading> {
    let heading = |line: &String| line.contains("RAM used") && line.contains("Program");
    let at = lines.iter().position(heading)?;
    let row = |line: &String| {
        let words = words(line);
        let [private, a, "+", shared, b, "=", ram, c, name, ..] = words[..] else {
            return None;
        };
        let (private, shared) = (number::apart(private, a)?, number::apart(shared, b)?);
        Some(Process {
            name: name.to_string(),
            rss: private.saturating_add(shared),
            pss: Some(number::apart(ram, c)?),
            private: Some(private),
            ..Process::default()
        })
    };
    let found: Vec<Process> = lines[at + 1..].iter().filter_map(row).collect();
    (!found.is_empty()).then(|| Reading::told("ps_mem", "programs", What::Processes(found)))
}

/// psutil's `pfullmem(rss=1304870912, ..., uss=1274175488, pss=1275800576, swap=0)`.
fn counted(lines: &[String]) -> Option<Reading> {
    let rest = lines.iter().find_map(|line| {
        let full = line.split_once("pfullmem(");
        Some(full.or(line.split_once("pmem("))?.1)
    })?;
    let of = |key: &str| {
        let mut fields = rest.split([',', ')']);
        fields.find_map(|field| field.trim().strip_prefix(key)?.parse().ok())
    };
    let process = Process {
        rss: of("rss=")?,
        pss: of("pss="),
        private: of("uss="),
        swap: of("swap="),
        ..Process::default()
    };
    one("psutil", process)
}

/// pmap -x: `total kB  1234  567  89`.
fn mapped(lines: &[String]) -> Option<Reading> {
    lines
        .iter()
        .find(|line| line.starts_with("Address") && line.contains("RSS"))?;
    // The last line may be cut off: then the mappings that are there are the least.
    let total = lines.iter().find(|line| line.starts_with("total"));
    let sizes: Option<Vec<u64>> =
        total.map(|line| line.split_whitespace().filter_map(kib).collect());
    let mapping = |line: &String| {
        let mut words = line.split_whitespace();
        let address = words.next()?;
        (address.len() >= 8 && address.bytes().all(|b| b.is_ascii_hexdigit()))
            .then(|| kib(words.nth(1)?))?
    };
    let rss = match sizes {
        Some(sizes) => sizes.get(1).copied(),
        None => lines.iter().filter_map(mapping).reduce(u64::saturating_add),
    };
    let name = lines.iter().find_map(|line| {
        let (pid, command) = line.split_once(':')?;
        let pid = pid.trim();
        (pid.parse::<u32>().is_ok() || pid == "PROCESS").then_some(())?;
        command.split_whitespace().next().map(str::to_string)
    });
    let process = Process {
        name: name.unwrap_or_default(),
        rss: rss?,
        ..Process::default()
    };
    one("pmap", process)
}

fn slabs(lines: &[String]) -> Option<Reading> {
    let of_slabtop = |words: &[&str]| {
        let [objects, active, _, _, _, _, size, name] = words else {
            return None;
        };
        let size = number::whole_times(size.strip_suffix('K')?, 1024)?;
        cache(name, size, objects, active)
    };
    // name active objects size per-slab pages : tunables ... : slabdata active slabs shared.
    let of_slabinfo = |words: &[&str]| {
        let [name, active, objects, _, _, pages, ":", ..] = words else {
            return None;
        };
        let slabs: u64 = words.iter().rev().nth(1)?.parse().ok()?;
        let size = number::whole_times(pages, slabs)?.checked_mul(4096)?;
        cache(name, size, objects, active)
    };
    const HEADS: [&str; 3] = ["OBJS", "<active_objs>", "slabdata"];
    lines
        .iter()
        .find(|line| HEADS.iter().any(|head| line.contains(head)))?;
    let rows = lines.iter().map(|line| words(line));
    let mut caches: Vec<Cache> = rows
        .filter_map(|row| of_slabtop(&row).or_else(|| of_slabinfo(&row)))
        .collect();
    caches.sort_by_key(|cache| std::cmp::Reverse(cache.bytes));
    let mut found = Reading::machine("slabtop", "the machine's kernel objects");
    let mut of_size = lines
        .iter()
        .filter(|l| l.starts_with("Active / Total Size"));
    let told = of_size.next().and_then(|line| {
        let parts = line.split(['/', '(']);
        let mut sizes = parts.filter_map(|part| part.trim().strip_suffix('K'));
        sizes.next_back()?.parse::<f64>().ok()
    });
    let sum = number::sum(caches.iter().map(|cache| cache.bytes));
    let total = told
        .filter(|kib| kib.is_finite() && *kib >= 0.0)
        .map_or(sum, |kib| ((kib * 1024.0) as u64).max(sum));
    found.rows.set("node:Slab", total);
    found.what = What::Slab(caches.clone());
    (!caches.is_empty()).then_some(found)
}

fn cache(name: &str, bytes: u64, objects: &str, active: &str) -> Option<Cache> {
    let (objects, active): (u64, u64) = (objects.parse().ok()?, active.parse().ok()?);
    let used = active.saturating_mul(100).checked_div(objects);
    Some(Cache {
        name: name.to_string(),
        bytes,
        objects,
        used: used.unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(text: &str) -> Vec<Reading> {
        read(
            &text
                .lines()
                .map(|line| line.trim().to_string())
                .collect::<Vec<_>>(),
        )
    }

    #[test]
    fn lists_of_four_tools() {
        let top = of(
            "PID USER PR NI VIRT RES SHR S %CPU %MEM TIME+ COMMAND\n18143 root 20 0 1074.2m 143.0m 67.2m R 53.8 1.9 0:11.79 chrome\n8 root 20 0 455 44400 7900 S 1 0.6 2:02 python x\n",
        );
        let What::Processes(list) = &top[0].what else {
            panic!("{top:?}")
        };
        assert_eq!(
            (list[0].rss, list[1].rss, list[1].name.as_str()),
            (143 << 20, 44_400 << 10, "python")
        );
        let smem = of(
            "PID User Command Swap USS PSS RSS\n12 root /usr/bin/python3 a b 0 5000 6000 7000\n",
        );
        let What::Processes(list) = &smem[0].what else {
            panic!("{smem:?}")
        };
        assert_eq!(
            (list[0].pss, list[0].private, list[0].rss),
            (Some(6000 << 10), Some(5000 << 10), 7000 << 10)
        );
        let pmap = of(
            "12:   java -jar x\nAddress           Kbytes     RSS   Dirty Mode  Mapping\n00 4 4 0 r x\ntotal kB  12345  2345  1234\n",
        );
        let What::Processes(list) = &pmap[0].what else {
            panic!("{pmap:?}")
        };
        assert_eq!((list[0].rss, list[0].name.as_str()), (2345 << 10, "java"));
        let slab = of(
            "# name            <active_objs> <num_objs>\ndentry 100 200 192 21 1 : tunables 0 0 0 : slabdata 10 10 0\n",
        );
        let What::Slab(list) = &slab[0].what else {
            panic!("{slab:?}")
        };
        assert_eq!((list[0].bytes, list[0].used), (40_960, 50));
    }

    #[test]
    fn programs_and_users() {
        for (text, source, rss, pss, private) in [
            (
                " Private  +   Shared  =  RAM used\tProgram\n\n14.0 MiB + 10.0 MiB = 20.0 MiB\tsshd (4)\n---\n 20.0 MiB\n",
                "ps_mem",
                24 << 20,
                Some(20 << 20),
                Some(14 << 20),
            ),
            (
                "pfullmem(rss=9000, vms=2051538944, shared=3, uss=7000, pss=8000, swap=0)",
                "psutil",
                9000,
                Some(8000),
                Some(7000),
            ),
            (
                "User Count Swap USS PSS RSS\npostgres 14 0 5 6 7\n",
                "smem",
                7 << 10,
                Some(6 << 10),
                Some(5 << 10),
            ),
        ] {
            let found = &of(text)[0];
            let What::Processes(list) = &found.what else {
                panic!("{text}")
            };
            assert_eq!(
                (found.source, list[0].rss, list[0].pss, list[0].private),
                (source, rss, pss, private),
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(rows in "(PID Command (RSS|PSS|RES)\n|OBJS\n|Address RSS\n)?(([0-9]{1,3}(K|m|%)?|total|:|a) ?){0,12}\n") {
            of(&rows);
        }
    }
}
