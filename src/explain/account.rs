//! An account with bounds: what each quantity is at least and at most, by what must hold.
//!
//! What is known of the kernel is written once, in [`RELATIONS`]. Each quantity starts at what its row
//! says, or at anything; the relations narrow it until nothing moves. Where a least passes a most
//! by more than the counters' own noise, two readings cannot be of one owner: a contradiction.

use super::{Reading, Scope};
use crate::formula::Formula;
use crate::named::named;
use crate::rows::View;

/// No upper bound: more than any machine has.
pub const ANYTHING: u64 = 1 << 62;

named! {
    /// A quantity of an account, bytes; its word is API.
    #[repr(usize)]
    Quantity, name {
        /// Charged to the owner; in use on a machine.
        Usage = "usage",
        /// Usage without the inactive file pages, not below 0.
        WorkingSet = "working_set",
        /// Anonymous memory.
        Anon = "anon",
        /// Page cache, tmpfs included.
        File = "file",
        /// tmpfs and shared memory.
        Shmem = "shmem",
        /// File pages on the inactive list.
        InactiveFile = "inactive_file",
        /// File pages on the active list.
        ActiveFile = "active_file",
        /// Kernel memory.
        Kernel = "kernel",
        /// Kernel objects that can be dropped.
        SlabReclaimable = "slab_reclaimable",
        /// Socket buffers.
        Sock = "sock",
        /// The machine's memory.
        Capacity = "capacity",
    }
}

/// How far a relation can be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// The parts do not overlap and are all within the whole.
    Within,
    /// As `Within`, but lazily freed pages may break it: it narrows and never contradicts.
    Usually,
}

/// The whole, its parts, how far it holds, and who says so.
#[derive(Debug, Clone, Copy)]
pub struct Relation {
    /// What contains the parts.
    pub whole: Quantity,
    /// What is in it.
    pub parts: &'static [Quantity],
    /// How far it holds.
    pub rule: Rule,
    /// The kernel's or tool's source.
    pub source: &'static str,
}

use Quantity::{
    ActiveFile, Anon, Capacity, File, InactiveFile, Kernel, Shmem, SlabReclaimable, Sock, Usage,
    WorkingSet,
};

/// What must hold. One line a fact.
#[rustfmt::skip]
pub const RELATIONS: &[Relation] = &[
    Relation { whole: Usage, parts: &[Anon, File, Kernel, Sock], rule: Rule::Within, source: "every page and object is charged once (mm/memcontrol.c); v2's sock is beside kernel; v1's root counts pages only" },
    Relation { whole: Usage, parts: &[WorkingSet], rule: Rule::Within, source: "working_set = usage - inactive_file, not below 0 (libcontainer, cAdvisor)" },
    Relation { whole: Usage, parts: &[InactiveFile, ActiveFile], rule: Rule::Within, source: "a page on a reclaim list is charged (include/linux/mm_inline.h)" },
    Relation { whole: File, parts: &[Shmem], rule: Rule::Within, source: "shmem is in NR_FILE_PAGES (mm/shmem.c)" },
    Relation { whole: File, parts: &[InactiveFile, ActiveFile, Shmem], rule: Rule::Usually, source: "shmem is on the anonymous lists; MADV_FREE puts anonymous pages on the file list (mm/swap.c)" },
    Relation { whole: Kernel, parts: &[SlabReclaimable], rule: Rule::Within, source: "kernel = slab + stacks + page tables + percpu + vmalloc (5.18, mm/memcontrol.c)" },
    Relation { whole: Capacity, parts: &[Usage], rule: Rule::Within, source: "only pages of RAM are charged" },
];

/// A least and a most, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Not less than this.
    pub least: u64,
    /// Not more than this; [`ANYTHING`] where nothing bounds it.
    pub most: u64,
}

impl Bounds {
    const OPEN: Bounds = Bounds {
        least: 0,
        most: ANYTHING,
    };

    fn exactly(value: u64) -> Bounds {
        let value = value.min(ANYTHING);
        Bounds {
            least: value,
            most: value,
        }
    }

    /// The value, where least and most are one.
    pub fn exact(self) -> Option<u64> {
        (self.least == self.most).then_some(self.least)
    }

    /// Whether anything is known.
    pub fn is_known(self) -> bool {
        self != Bounds::OPEN
    }
}

/// Two quantities that cannot both be of one owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clash {
    /// What should contain the part.
    pub whole: Quantity,
    /// Its bytes.
    pub whole_bytes: u64,
    /// The part, or the largest of them.
    pub part: Quantity,
    /// All parts together, bytes.
    pub parts_bytes: u64,
}

/// The account of one reading.
#[derive(Debug, Clone)]
pub struct Account {
    bounds: [Bounds; Quantity::ALL.len()],
    /// What contradicts itself.
    pub clashes: Vec<Clash>,
}

/// What the kernel's per-CPU batches can hide: 64 pages a CPU. The CPUs are not among the numbers, so
/// 64 of them, but not more than an eighth of the whole, nor less than a hundredth.
pub fn noise(whole: u64) -> u64 {
    (64 * 64 * 4096).min(whole / 8).max(whole / 100)
}

impl Account {
    /// Opens the account of a reading and narrows it.
    pub fn of(reading: &Reading) -> Account {
        Account::by(reading, RELATIONS)
    }

    /// The same by other relations: tests break one to see it missed.
    pub fn by(reading: &Reading, relations: &[Relation]) -> Account {
        let mut view = reading.view();
        let mut account = Account {
            bounds: [Bounds::OPEN; Quantity::ALL.len()],
            clashes: Vec::new(),
        };
        let of_cgroup = reading.scope == Scope::Cgroup;
        for quantity in Quantity::ALL {
            let value = match quantity {
                WorkingSet => reading.working_set.filter(|_| of_cgroup),
                // The machine's usage is of pages on lists: kernel memory comes beside it.
                Kernel => reading.kernel_in_usage().filter(|_| of_cgroup),
                SlabReclaimable => view.slab_reclaimable.filter(|_| of_cgroup),
                Capacity => view.node_capacity,
                quantity => field(&mut view, quantity).and_then(|value| *value),
            };
            if let Some(value) = value {
                account.bounds[quantity as usize] = Bounds::exactly(value);
            }
        }
        if of_cgroup && let Some(limit) = reading.limit() {
            // The kernel keeps usage at or below the limit, but for what is being charged.
            let most = limit.saturating_add(noise(limit));
            let usage = &mut account.bounds[Usage as usize];
            usage.most = usage.most.min(most.max(usage.least));
        }
        account.narrow(relations);
        account
    }

    /// A quantity's bounds.
    pub fn get(&self, quantity: Quantity) -> Bounds {
        self.bounds[quantity as usize]
    }

    /// Narrows until nothing moves. Bounds only shrink, and each pass that changes nothing ends it.
    fn narrow(&mut self, relations: &[Relation]) {
        // A chain through all quantities is the longest way a bound can travel.
        for _ in 0..Quantity::ALL.len() {
            let before = self.bounds;
            for relation in relations {
                self.apply(relation);
            }
            self.working_set();
            if self.bounds == before {
                break;
            }
        }
    }

    fn apply(&mut self, relation: &Relation) {
        let least: u64 = relation
            .parts
            .iter()
            .fold(0, |sum, part| sum.saturating_add(self.get(*part).least));
        let whole = self.get(relation.whole);
        if least > whole.most {
            let within_noise = least - whole.most <= noise(whole.most);
            if relation.rule == Rule::Within && !within_noise {
                self.clash(relation, whole.most, least);
            }
            return;
        }
        self.bounds[relation.whole as usize].least = whole.least.max(least);
        for part in relation.parts {
            let now = self.get(*part);
            let most = whole.most - (least - now.least);
            self.bounds[*part as usize].most = now.most.min(most.max(now.least));
        }
    }

    /// working_set = usage - inactive_file both ways, as bounds.
    fn working_set(&mut self) {
        let (usage, file) = (self.get(Usage), self.get(InactiveFile));
        let least = usage.least.saturating_sub(file.most);
        let most = usage.most.saturating_sub(file.least);
        let working_set = &mut self.bounds[WorkingSet as usize];
        if least <= working_set.most && most >= working_set.least {
            working_set.least = working_set.least.max(least);
            working_set.most = working_set.most.min(most);
        }
    }

    fn clash(&mut self, relation: &Relation, whole_bytes: u64, parts_bytes: u64) {
        let largest = relation
            .parts
            .iter()
            .max_by_key(|part| self.get(**part).least);
        let Some(part) = largest.copied() else {
            return;
        };
        let clash = Clash {
            whole: relation.whole,
            whole_bytes,
            part,
            parts_bytes,
        };
        let same = |known: &Clash| (known.whole, known.part) == (clash.whole, clash.part);
        if !self.clashes.iter().any(same) {
            self.clashes.push(clash);
        }
    }

    /// Where a formula may be least or most: the ends of the bounds, and for usage and the inactive list
    /// also one byte to the side of each other's ends, since docker takes the list off only while it is
    /// below usage.
    fn points(&self, quantity: Quantity) -> Vec<u64> {
        let Bounds { least, most } = self.get(quantity);
        let beside = |other: Quantity, step: fn(u64) -> u64| {
            let other = self.get(other);
            [step(other.least), step(other.most)]
        };
        let mut points = vec![least, most];
        points.extend(match quantity {
            InactiveFile => beside(Usage, |usage| usage.saturating_sub(1)),
            Usage => beside(InactiveFile, |list| list.saturating_add(1)),
            _ => [least; 2],
        });
        points.retain(|point| (least..=most).contains(point));
        points.sort_unstable();
        points.dedup();
        points
    }

    /// A formula's value within these bounds: least and most over the corners of what is not known.
    /// None where it reads something nothing is known of, or is not bounded on either side.
    pub fn formula(&self, formula: &Formula, view: &View) -> Option<(Option<i64>, Option<i64>)> {
        let mut least = i64::MAX;
        let mut most = i64::MIN;
        let mut open = Quantity::ALL.to_vec();
        open.retain(|quantity| {
            field(&mut view.clone(), *quantity).is_some_and(|given| given.is_none())
                && self.get(*quantity).is_known()
        });
        let open = read_by(formula, view, open, self);
        let points: Vec<Vec<u64>> = open.iter().map(|quantity| self.points(*quantity)).collect();
        for corner in 0..points.iter().map(Vec::len).product() {
            let mut at = *view;
            let mut rest: usize = corner;
            for (quantity, values) in open.iter().zip(&points) {
                let value = values.get(rest % values.len()).copied();
                rest /= values.len();
                at = with(at, *quantity, value);
            }
            // A corner where the part is above its whole is no corner.
            let impossible = at
                .slab_reclaimable
                .zip(at.kernel)
                .is_some_and(|(slab, kernel)| slab > kernel);
            if impossible && open.contains(&SlabReclaimable) {
                continue;
            }
            let value = (formula.eval)(&at)?;
            least = least.min(value);
            most = most.max(value);
        }
        if least > most {
            return None;
        }
        let far = ANYTHING as i64 / 2;
        let near = |value: i64| Some(value).filter(|value| value.abs() < far);
        let bounded = (near(least), near(most));
        (bounded != (None, None)).then_some(bounded)
    }
}

/// Those of `open` that the formula reads: all corners of the others are one.
fn read_by(
    formula: &Formula,
    view: &View,
    open: Vec<Quantity>,
    account: &Account,
) -> Vec<Quantity> {
    let least = |quantity: &Quantity| Some(account.get(*quantity).least);
    let full = open.iter().fold(*view, |view, q| with(view, *q, least(q)));
    let value = (formula.eval)(&full);
    let reads = |quantity: &Quantity| {
        let most = Some(account.get(*quantity).most);
        [None, most, Some(ANYTHING)]
            .into_iter()
            .any(|other| (formula.eval)(&with(full, *quantity, other)) != value)
    };
    open.into_iter()
        .filter(|quantity| reads(quantity))
        .collect()
}

/// The field of a view behind a quantity.
fn field(view: &mut View, quantity: Quantity) -> Option<&mut Option<u64>> {
    view.counter_mut(match quantity {
        Anon => "rss",
        File => "cache",
        // The working set and the capacity are no counters of a view under these names.
        other => other.name(),
    })
}

/// A view with another value of a quantity.
fn with(mut view: View, quantity: Quantity, value: Option<u64>) -> View {
    if let Some(field) = field(&mut view, quantity) {
        *field = value;
    }
    view
}

#[cfg(test)]
#[path = "account_tests.rs"]
mod tests;
