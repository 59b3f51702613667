use super::*;
use proptest::prelude::*;

fn read(text: &str) -> Vec<Reading> {
    super::read(text, &crate::explain::clean::lines(text))
}

fn one(text: &str) -> Reading {
    let mut readings = read(text);
    assert_eq!(readings.len(), 1, "{text}");
    readings.remove(0)
}

#[test]
fn docker_stats_of_all_ages() {
    let new = one(
        "CONTAINER ID   NAME  CPU %   MEM USAGE / LIMIT     MEM %   NET I/O   BLOCK I/O   PIDS\n\
         c137012d8af9   db    0.05%   329.6MiB / 2.868GiB   11.22%  24.6GB / 29.5GB   0B / 49.7GB   31\n",
    );
    assert_eq!(new.label, "db");
    assert_eq!(new.working_set, Some(345_610_650));
    assert_eq!(new.limit(), Some(3_079_491_551));
    assert_eq!(new.view().usage, None);
    let old = one(
        "CONTAINER    CPU %   MEM USAGE / LIMIT   MEM %\nc137012d8af9 0.00%   495.2 MB / 67.55 GB   0.73%\n",
    );
    assert_eq!(
        (old.view().usage, old.working_set),
        (Some(495_200_000), None)
    );
    assert_eq!(old.label, "c137012d8af9");
    let bare = one("c137 web 0.1% 1GiB / 2GiB 50.00% 1kB / 2kB 0B / 0B 3");
    assert_eq!(
        (bare.label.as_str(), bare.working_set),
        ("web", Some(1 << 30))
    );
    let chosen = one("NAME   MEM USAGE / LIMIT\nweb   1GiB / 2GiB\n");
    assert_eq!(
        (chosen.label.as_str(), chosen.working_set),
        ("web", Some(1 << 30))
    );
}

#[test]
fn podmans_number_is_one_of_two_formulas() {
    let reading = one(
        "ID   NAME    CPU %  MEM USAGE / LIMIT  MEM %\n5db6 unruffled 2.21% 2.87GB / 3.843GB   74.68%\n",
    );
    assert_eq!((reading.working_set, reading.view().usage), (None, None));
    assert_eq!(reading.rows.get("shown"), Some(2_870_000_000));
    assert_eq!(reading.limit(), Some(3_843_000_000));
}

#[test]
fn kubectl_top_of_pods_containers_and_nodes() {
    let pods = read("NAME   CPU(cores)   MEMORY(bytes)\nweb-1 3m 245Mi\ndb-0 120m 3072Mi\n");
    assert_eq!(pods[0].pod.as_deref(), Some("web-1"));
    assert_eq!(pods[1].working_set, Some(3 << 30));
    let all = one("NAMESPACE NAME CPU(cores) MEMORY(bytes)\nprod web-1 3m 245Mi\n");
    assert_eq!(all.pod.as_deref(), Some("web-1"));
    let container = one("POD   NAME   CPU(cores)  MEMORY(bytes)\nweb-1 app 3m 245Mi\n");
    assert_eq!(container.label, "container app of pod web-1");
    let node = one("NAME   CPU(cores)  CPU%  MEMORY(bytes)  MEMORY%\nnode-a 231m 5% 7012Mi 45%\n");
    assert_eq!(
        (node.working_set, node.scope),
        (Some(7012 << 20), crate::explain::Scope::Node)
    );
}

#[test]
fn systemd_and_crictl() {
    let unit = one(
        "● web.service - Web\n     Loaded: loaded (x)\n   Main PID: 12 (web)\n\
              Memory: 796.7M (max: 1.0G available: 227.3M peak: 858.3M)\n",
    );
    assert_eq!(unit.label, "web.service");
    assert_eq!(unit.view().usage, Some(835_400_499));
    assert_eq!(
        (unit.limit(), unit.rows.get("max_usage")),
        (Some(1 << 30), Some(899_992_781))
    );
    let cgtop = read(
        "Control Group    Tasks %CPU Memory Input/s Output/s\n/ 512 12.3 4.5G - -\nx.service 12 5.0 796.7M - -\n",
    );
    assert_eq!((cgtop.len(), cgtop[1].view().usage), (2, Some(835_400_499)));
    let crictl = one("CONTAINER  NAME CPU % MEM DISK INODES\n0123 app 0.10 635.4MB 12.3MB 45\n");
    assert_eq!(
        (crictl.label.as_str(), crictl.working_set),
        ("app", Some(635_400_000))
    );
}

proptest! {
    #[test]
    fn nothing_panics(
        text in "(?s).{0,160}",
        rows in "(NAME MEM USAGE / LIMIT\n|CONTAINER CPU % MEM \n|NAMESPACE POD NAME MEMORY\\(bytes\\)\n|Control Group Memory\n)?(([a-z]{0,3}|[0-9.]{1,4}(MiB|GB|Mi|%)?|/) ?){0,9}\n",
    ) {
        read(&text);
        read(&rows);
    }
}
