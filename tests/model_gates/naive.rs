//! What one would predict without a model of the kernel: usage is what the workers hold, up to the limit,
//! and all cache is inactive. It stands beside every figure of the model.

use memtide::recording::Recording;
use memtide::rows::CgroupVersion;

/// Anonymous bytes, cached bytes of files, and bytes of files in memory, from the truth alone.
fn held(model: &Recording, group: usize, sample: usize) -> [u64; 3] {
    let table = &model.tables[group];
    let truth = |name: &str| {
        let column = table.column(&format!("truth:{name}"));
        column
            .and_then(|column| table.get(sample, column))
            .unwrap_or(0)
    };
    let files = truth("file_live") + truth("mapped_file_live");
    [
        truth("live") + truth("freed_lazy"),
        files.max(truth("file_live")),
        truth("shmem_live"),
    ]
}

/// The naive twin of a prediction: the same samples, other rows. `real` gives limits.
pub fn of(real: &Recording, model: &Recording) -> Recording {
    let v2 = real.version() == CgroupVersion::V2;
    let mut naive = model.clone();
    let names = match v2 {
        true => [
            "memory.current",
            "anon",
            "file",
            "shmem",
            "inactive_file",
            "active_file",
            "kernel",
        ],
        false => [
            "memory.usage_in_bytes",
            "total_rss",
            "total_cache",
            "total_shmem",
            "total_inactive_file",
            "total_active_file",
            "memory.kmem.usage_in_bytes",
        ],
    };
    for group in 0..naive.tables.len() {
        let limit = real.header.groups[group].limit.unwrap_or(u64::MAX);
        let columns = names.map(|name| naive.tables[group].column(name));
        for sample in 0..naive.tables[group].len() {
            let [anon, files, shmem] = held(model, group, sample);
            let files = files.min(limit.saturating_sub(anon + shmem));
            let values = [
                anon + files + shmem,
                anon,
                files + shmem,
                shmem,
                files,
                0,
                0,
            ];
            let width = naive.tables[group].columns.len();
            for (column, value) in columns.into_iter().zip(values) {
                if let Some(column) = column {
                    naive.tables[group].values[sample * width + column] = value;
                }
            }
        }
    }
    naive
}
