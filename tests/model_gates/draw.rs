//! The seeded generator of scenarios that nobody has seen: in strata, one for each rule that no recording of
//! the catalogue tests.

use std::fmt::Write as _;

/// One drawn scenario.
pub struct Drawn {
    pub stratum: &'static str,
    pub name: String,
    pub text: String,
}

/// The draw that is in the tree.
const SEED: u64 = 20_261_128;

/// SplitMix64: small, the same everywhere.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From `lo` to `hi`, both included.
    fn pick(&mut self, lo: u64, hi: u64) -> u64 {
        lo + self.next() % (hi - lo + 1)
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.pick(0, of.len() as u64 - 1) as usize]
    }
}

/// A scenario in the making.
struct Draft {
    rng: Rng,
    text: String,
    steps: usize,
    /// `[[step]]`, or the nested form's name.
    table: &'static str,
}

impl Draft {
    fn new(seed: u64, head: &str) -> Draft {
        let mut text = String::from(
            "title = \"A drawn scenario\"\nstory = \"Drawn from a seed, predicted first, run afterwards.\"\ninterval = \"100ms\"\ndeadline = \"90s\"\n",
        );
        text += head;
        text += "\n[truth]\nclass = \"healthy\"\nfire = false\nwhy = \"it is drawn, and nothing is claimed of it\"\n\n[[outcome]]\nis = [\"survived\", \"oom_killed\", \"throttled\", \"timed_out\"]\nwhy = \"it is drawn\"\n\n[[require]]\nwhen = { swap = false }\nreason = \"the model has no swap\"\n";
        Draft {
            rng: Rng(seed),
            text,
            steps: 0,
            table: "step",
        }
    }

    /// Another step: `work` is its workload.
    fn step(&mut self, work: &str) -> &mut Self {
        self.after(work, "")
    }

    fn after(&mut self, work: &str, after: &str) -> &mut Self {
        self.steps += 1;
        let (table, n) = (self.table, self.steps);
        let _ = write!(
            self.text,
            "\n[[{table}]]\nname = \"s{n}\"\nsay = \"Step {n}.\"\n"
        );
        if !after.is_empty() {
            let _ = writeln!(self.text, "after = [\"{after}\"]");
        }
        let _ = writeln!(self.text, "{work}");
        self
    }

    fn write(&mut self, file: &str, lo: u64, hi: u64) -> &mut Self {
        let share = self.rng.pick(lo, hi);
        let end = self.rng.one(&["fsync = \"end\"", "fsync = \"1MiB\""]);
        self.step(&format!(
            "log_write = {{ file = \"{file}\", buffer = \"64KiB\", total = \"{share}%\", {end} }}"
        ))
    }

    fn read(&mut self, file: &str, lo: u64, hi: u64) -> &mut Self {
        let passes = self.rng.pick(lo, hi);
        self.step(&format!(
            "file_read = {{ file = \"{file}\", passes = {passes} }}"
        ))
    }

    fn map(&mut self, file: &str) -> &mut Self {
        let passes = self.rng.pick(1, 3);
        self.step(&format!(
            "mmap_scan = {{ file = \"{file}\", passes = {passes}, keep = true }}"
        ))
    }

    fn heap(&mut self, region: &str, lo: u64, hi: u64) -> &mut Self {
        let share = self.rng.pick(lo, hi);
        self.step(&format!(
            "anon = {{ region = \"{region}\", size = \"{share}%\" }}"
        ))
    }

    fn free(&mut self, region: &str, advice: &str) -> &mut Self {
        let share = self.rng.pick(30, 100);
        self.step(&format!(
            "release = {{ region = \"{region}\", advice = \"{advice}\", share = \"{share}%\" }}"
        ))
    }
}

fn limit(rng: &mut Rng, lo: u64, hi: u64) -> String {
    format!("limit = \"{}MiB\"\n", rng.pick(lo, hi))
}

/// Active pages above half of the limit (`inactive_is_low`, `shrink_active_list`).
fn active(d: &mut Draft) {
    d.write("a.log", 52, 85).read("a.log", 2, 3);
    d.write("b.log", 60, 200).read("b.log", 1, 2);
    d.write("b.log", 20, 60);
}

/// What comes back soon after it went (`workingset_refault`).
fn refault(d: &mut Draft) {
    d.write("a.log", 70, 120).read("a.log", 1, 2);
    d.write("b.log", 40, 80).read("a.log", 1, 2);
    d.read("b.log", 1, 2).write("c.log", 30, 60);
}

/// Mapped files under pressure (`folio_check_references`, `walk_mm`).
fn mapped(d: &mut Draft) {
    d.write("a", 20, 40).write("b", 15, 35).map("a");
    if d.rng.pick(0, 1) == 1 {
        d.map("b");
    } else {
        d.read("b", 1, 2);
    }
    d.write("app.log", 60, 160);
    if d.rng.pick(0, 1) == 1 {
        d.map("b");
    }
    d.write("app.log", 40, 100);
}

/// Names in the kernel's cache under pressure (`do_shrink_slab`).
fn dentries(d: &mut Draft) {
    let first = d.rng.pick(30_000, 90_000);
    d.step(&format!("dentries = {{ lookups = {first} }}"));
    d.write("app.log", 60, 110).heap("heap", 10, 30);
    let more = d.rng.pick(10_000, 40_000);
    d.step(&format!("dentries = {{ lookups = {more} }}"));
    d.write("app.log", 20, 80);
}

/// A file that grows for the equivalent of days (`count_shadow_nodes`).
fn nodes(d: &mut Draft) {
    d.write("app.log", 100, 300).write("app.log", 400, 800);
    d.read("app.log", 1, 1).write("b.log", 100, 200);
    d.step("unlink = { file = \"app.log\" }");
}

/// memory.high with cache to drop (`calculate_high_delay`).
fn high(d: &mut Draft) {
    d.write("app.log", 60, 130).heap("heap", 8, 20);
    d.read("app.log", 1, 2).write("app.log", 30, 80);
    d.free("heap", "dontneed").write("b.log", 20, 60);
}

/// More file pages than 1 GiB: the lists may differ by more than one to one (`inactive_is_low`).
fn ratio(d: &mut Draft) {
    d.write("a.log", 70, 80)
        .read("a.log", 2, 2)
        .write("b.log", 40, 60);
}

/// File lists that were emptied once, in four ways (`lru_gen_add_folio`).
fn flush(d: &mut Draft, how: usize) {
    d.write("a.log", 20, 50);
    match how {
        0 => {
            d.step("reclaim = {}");
        }
        1 => {
            let part = d.rng.pick(5, 15);
            d.step(&format!("reclaim = {{ amount = \"{part}%\" }}"));
        }
        2 => {
            d.heap("spike", 88, 94).free("spike", "dontneed");
        }
        _ => {
            d.step("unlink = { file = \"a.log\" }").step("reclaim = {}");
        }
    }
    d.write("b.log", 30, 50).read("b.log", 1, 2);
    d.write("c.log", 60, 120).write("c.log", 10, 30);
}

/// A kill that empties the lists, beside nobody or beside a log.
fn kill(d: &mut Draft, beside: bool) {
    d.table = "actor.step";
    d.text += "\n[[actor]]\nname = \"log\"\n";
    d.write("a.log", 20, 50);
    if beside {
        d.step("log_write = { file = \"a.log\", buffer = \"64KiB\", total = \"30%\", rate = \"4MiB/s\", fsync = \"1MiB\" }");
    }
    let total = d.rng.pick(30, 50);
    d.after(
        &format!("log_write = {{ file = \"b.log\", buffer = \"64KiB\", total = \"{total}%\", fsync = \"end\" }}"),
        "leak",
    );
    d.write("c.log", 80, 140);
    d.text += "\n[[actor]]\nname = \"app\"\n\n[[actor.step]]\nname = \"leak\"\nsay = \"It leaks.\"\nafter = [\"log/s1\"]\nanon = { size = \"120%\", rate = \"32MiB/s\", leak = true }\n";
}

/// Lazily freed memory under pressure, used again in part (`lru_lazyfree_fn`, `try_to_unmap_one`).
fn lazy(d: &mut Draft) {
    d.heap("heap", 40, 70).free("heap", "free");
    let share = d.rng.pick(10, 50);
    d.step(&format!(
        "rewrite = {{ region = \"heap\", share = \"{share}%\" }}"
    ));
    d.write("app.log", 30, 120).heap("more", 5, 25);
    d.read("app.log", 1, 2);
}

/// Files in memory beside a log.
fn tmpfs(d: &mut Draft) {
    let share = d.rng.pick(20, 50);
    d.step(&format!(
        "tmpfs_fill = {{ file = \"t\", size = \"{share}%\" }}"
    ));
    d.write("app.log", 60, 130).read("app.log", 1, 2);
    d.step("tmpfs_remove = { file = \"t\" }");
    d.write("app.log", 20, 60);
}

/// A limit of the pod above two or three containers (`mem_cgroup_iter`).
fn pod(d: &mut Draft, kill: bool) {
    d.table = "container.step";
    let names = ["one", "two", "three"];
    let count = d.rng.pick(2, 3) as usize;
    let pod = d.rng.pick(96, 160);
    d.text.push('\n');
    d.text = format!("pod_limit = \"{pod}MiB\"\n{}", d.text);
    let heap = if kill { (62, 75) } else { (8, 20) };
    for (index, name) in names[..count].iter().enumerate() {
        let own = pod * d.rng.pick(80, 95) / 100;
        let _ = write!(
            d.text,
            "\n[[container]]\nname = \"{name}\"\nlimit = \"{own}MiB\"\n"
        );
        // One after the other, so that time does not matter.
        let after = match index {
            0 => String::new(),
            _ => format!("s{}", d.steps),
        };
        let share = d.rng.pick(heap.0, heap.1);
        d.after(&format!("anon = {{ size = \"{share}%\" }}"), &after);
        d.write("a.log", 30, 80).read("a.log", 1, 2);
        d.write(["x.log", "y.log", "z.log"][index], 30, 70);
    }
}

/// Whatever there is, in any order.
fn mix(d: &mut Draft) {
    let steps = d.rng.pick(6, 12);
    d.write("a.log", 20, 60).heap("heap", 10, 30);
    for _ in 0..steps {
        let file = d.rng.one(&["a.log", "b.log"]);
        match d.rng.pick(0, 9) {
            0 | 1 => d.write(file, 10, 80),
            2 => d.read("a.log", 1, 3),
            3 => d.heap("more", 3, 12),
            4 => d.free("heap", "free"),
            5 => d.free("heap", "dontneed"),
            6 => d.step("rewrite = { region = \"heap\", share = \"40%\" }"),
            7 => d.map("a.log"),
            8 => d.step("fadvise = { file = \"a.log\", advice = \"dontneed\" }"),
            _ => d.step(
                "heap_churn = { live = \"5%\", size = \"512B\", lifetime = 1000, total = \"40%\" }",
            ),
        };
    }
    d.write("b.log", 30, 110);
}

/// A name, how many are drawn, and how one is.
type Stratum = (&'static str, usize, fn(&mut Draft, usize));

/// All of the draw, in order.
pub fn all() -> Vec<Drawn> {
    let strata: [Stratum; 13] = [
        ("active", 4, |d, _| active(d)),
        ("refault", 4, |d, _| refault(d)),
        ("mapped", 5, |d, _| mapped(d)),
        ("dentries", 2, |d, _| dentries(d)),
        ("nodes", 2, |d, _| nodes(d)),
        ("high", 4, |d, _| high(d)),
        ("ratio", 1, |d, _| ratio(d)),
        ("flush", 4, flush),
        ("kill", 4, |d, i| kill(d, i % 2 == 1)),
        ("lazy", 4, |d, _| lazy(d)),
        ("tmpfs", 2, |d, _| tmpfs(d)),
        ("pod", 4, |d, i| pod(d, i == 3)),
        ("mix", 6, |d, _| mix(d)),
    ];
    let mut rng = Rng(SEED);
    let mut all = Vec::new();
    for (stratum, count, draw) in strata {
        for index in 0..count {
            let seed = rng.next();
            let head = match stratum {
                "pod" => String::new(),
                "nodes" => limit(&mut rng, 24, 40),
                "ratio" => limit(&mut rng, 1240, 1320),
                "high" => {
                    let high = rng.pick(45, 75);
                    format!("{}high = \"{high}%\"\n", limit(&mut rng, 64, 128))
                }
                _ => limit(&mut rng, 64, 160),
            };
            let mut draft = Draft::new(seed, &head);
            draw(&mut draft, index);
            all.push(Drawn {
                stratum,
                name: format!("fresh-{stratum}-{}", index + 1),
                text: draft.text,
            });
        }
    }
    all
}
