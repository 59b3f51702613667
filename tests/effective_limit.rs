//! The limit that holds is the smallest of all ancestors', and every spelling of "none" is known.
//!
//! The directories here hold texts as the kernel writes them; tests/managed_cgroups.rs asks a real
//! kernel for the same.

use std::fs;
use std::path::{Path, PathBuf};

use memtide::cgroup::{Hierarchy, Limit, SetBy, parse_limit};
use memtide::rows::CgroupVersion;

const GIB: u64 = 1 << 30;
const RAM: u64 = 16 * GIB;

fn hierarchy(version: CgroupVersion, mount: &Path) -> Hierarchy {
    Hierarchy {
        version,
        mount: mount.to_path_buf(),
        root: "/".into(),
        own: mount.join("a/b/c"),
        listed: "/a/b/c".into(),
        read_only: false,
        hybrid: false,
        ram: RAM,
        swap_on: false,
    }
}

/// Makes a/b/c below `dir`, with `file` holding one text a level, outermost first.
fn tree(dir: &Path, file: &str, texts: [&str; 3]) -> [PathBuf; 3] {
    let dirs = [dir.join("a"), dir.join("a/b"), dir.join("a/b/c")];
    fs::create_dir_all(&dirs[2]).unwrap();
    for (dir, text) in dirs.iter().zip(texts) {
        fs::write(dir.join(file), text).unwrap();
    }
    dirs
}

fn finite(bytes: u64, path: &Path) -> Limit {
    Limit::Finite {
        bytes,
        set_by: SetBy::Cgroup(path.to_path_buf()),
    }
}

#[test]
fn every_spelling_of_unlimited_is_known() {
    for text in [
        "max\n",
        "-1\n",
        "9223372036854771712\n", // v1 since 3.19, pages of 4 KiB
        "9223372036854710272\n", // the same, pages of 64 KiB
        "9223372036854775807\n", // v1 before 3.19
        "18446744073709551615\n",
        "99999999999999999999999\n",
        "17179869184\n", // the whole of RAM
        "17179869185\n",
        "",
        "rubbish\n",
    ] {
        assert_eq!(parse_limit(text, RAM), None, "{text:?}");
    }
    assert_eq!(parse_limit("17179865088\n", RAM), Some(RAM - 4096));
    assert_eq!(parse_limit("0\n", RAM), Some(0));
}

#[test]
fn v2_takes_the_smallest_of_all_ancestors_and_says_which() {
    let dir = tempfile::tempdir().unwrap();
    let h = hierarchy(CgroupVersion::V2, dir.path());
    let dirs = tree(
        dir.path(),
        "memory.max",
        ["max\n", "268435456\n", "536870912\n"],
    );
    assert_eq!(h.effective_limit(&dirs[2]), finite(268_435_456, &dirs[1]));
    assert_eq!(h.effective_limit(&dirs[1]), finite(268_435_456, &dirs[1]));
    assert_eq!(h.effective_limit(&dirs[0]), Limit::Unlimited);
}

#[test]
fn a_cgroup_without_the_controller_still_has_its_ancestors_limit() {
    let dir = tempfile::tempdir().unwrap();
    let h = hierarchy(CgroupVersion::V2, dir.path());
    let dirs = tree(dir.path(), "memory.max", ["268435456\n", "max\n", "max\n"]);
    fs::remove_file(dirs[2].join("memory.max")).unwrap();
    assert_eq!(h.effective_limit(&dirs[2]), finite(268_435_456, &dirs[0]));
}

#[test]
fn a_namespaces_top_has_a_limit_file_and_it_counts() {
    let dir = tempfile::tempdir().unwrap();
    let h = hierarchy(CgroupVersion::V2, dir.path());
    fs::write(dir.path().join("memory.max"), "134217728\n").unwrap();
    assert_eq!(
        h.effective_limit(dir.path()),
        finite(134_217_728, dir.path())
    );
}

#[test]
fn v1_knows_limits_above_what_is_mounted() {
    let dir = tempfile::tempdir().unwrap();
    let h = hierarchy(CgroupVersion::V1, dir.path());
    let none = "9223372036854771712\n";
    let dirs = tree(dir.path(), "memory.limit_in_bytes", [none, none, none]);
    let stat = |bytes: u64| format!("cache 0\nhierarchical_memory_limit {bytes}\ntotal_cache 0\n");
    fs::write(dirs[2].join("memory.stat"), stat(GIB)).unwrap();
    let outside = Limit::Finite {
        bytes: GIB,
        set_by: SetBy::Outside,
    };
    assert_eq!(h.effective_limit(&dirs[2]), outside);
    assert!(outside.to_string().contains("above what is mounted"));
    // An own limit that is as small is the one to name.
    fs::write(dirs[2].join("memory.limit_in_bytes"), "1073741824\n").unwrap();
    assert_eq!(h.effective_limit(&dirs[2]), finite(GIB, &dirs[2]));
    fs::write(dirs[2].join("memory.stat"), stat(9_223_372_036_854_771_712)).unwrap();
    assert_eq!(h.effective_limit(&dirs[2]), finite(GIB, &dirs[2]));
}

#[test]
fn v1_ancestors_that_do_not_account_hierarchically_do_not_count() {
    let dir = tempfile::tempdir().unwrap();
    let h = hierarchy(CgroupVersion::V1, dir.path());
    let none = "9223372036854775807\n";
    let dirs = tree(
        dir.path(),
        "memory.limit_in_bytes",
        ["268435456\n", none, none],
    );
    assert_eq!(h.effective_limit(&dirs[2]), finite(268_435_456, &dirs[0]));
    fs::write(dirs[0].join("memory.use_hierarchy"), "0\n").unwrap();
    assert_eq!(h.effective_limit(&dirs[2]), Limit::Unlimited);
    assert_eq!(h.effective_limit(&dirs[0]), finite(268_435_456, &dirs[0]));
}

#[test]
fn a_path_elsewhere_is_read_by_itself_only() {
    let dir = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    let h = hierarchy(CgroupVersion::V2, dir.path());
    fs::write(other.path().join("memory.max"), "4096\n").unwrap();
    fs::create_dir(other.path().join("x")).unwrap();
    assert_eq!(h.effective_limit(&other.path().join("x")), Limit::Unlimited);
    assert_eq!(h.effective_limit(other.path()), finite(4096, other.path()));
}
