//! The image of a container: the kernel does not know it, the runtime keeps it in files that root can read.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// No runtime's file of a container is nearly as large: it has the container's settings and environment.
const FILE_MAX: u64 = 4 << 20;

/// Where runtimes keep what they were asked for, below the node's root: the folder of containers, and the file
/// in a container's own folder.
const PLACES: [(&str, &str); 6] = [
    (
        "run/containerd/io.containerd.runtime.v2.task/k8s.io",
        "config.json",
    ),
    (
        "run/k3s/containerd/io.containerd.runtime.v2.task/k8s.io",
        "config.json",
    ),
    (
        "var/snap/microk8s/common/run/containerd/io.containerd.runtime.v2.task/k8s.io",
        "config.json",
    ),
    (
        "run/containers/storage/overlay-containers",
        "userdata/config.json",
    ),
    (
        "var/lib/containers/storage/overlay-containers",
        "userdata/config.json",
    ),
    ("var/lib/docker/containers", "config.v2.json"),
];

/// The annotations of containerd and of CRI-O, and the name in Docker's file.
const NAMES: [&str; 3] = [
    "/annotations/io.kubernetes.cri.image-name",
    "/annotations/io.kubernetes.cri-o.ImageName",
    "/Config/Image",
];

/// The image of the container with this runtime's id, as it was asked for, by the files below a node's `root`;
/// none where no runtime that is known here has it, or its files may not be read.
pub fn image_of(root: &Path, id: &str) -> Option<String> {
    PLACES.iter().find_map(|(folder, file)| {
        let path = root.join(folder).join(id).join(file);
        let mut text = Vec::new();
        let mut file = File::open(path).ok()?.take(FILE_MAX);
        file.read_to_end(&mut text).ok()?;
        named(&serde_json::from_slice(&text).ok()?)
    })
}

fn named(document: &serde_json::Value) -> Option<String> {
    let mut names = NAMES.iter().filter_map(|at| document.pointer(at)?.as_str());
    // A label's value: no runtime makes it empty, of several lines or endless.
    let is_name =
        |name: &&str| !name.is_empty() && name.len() <= 512 && !name.contains(char::is_control);
    names.find(is_name).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_runtimes_file_tells_the_image() {
        let root = tempfile::tempdir().unwrap();
        let cri = r#"{"ociVersion":"1.1.0","process":{"env":["A=b"]},"annotations":{"io.kubernetes.cri.container-name":"app",
            "io.kubernetes.cri.image-name":"docker.io/library/redis:7"}}"#;
        let crio = r#"{"annotations":{"io.kubernetes.cri-o.Image":"3fa1","io.kubernetes.cri-o.ImageName":"quay.io/x/y:1"}}"#;
        let docker =
            r#"{"ID":"a","Image":"sha256:12","Config":{"Image":"nginx:1.27"},"Name":"/web"}"#;
        for (number, (folder, file)) in PLACES.iter().enumerate() {
            let id = format!("{number:064x}");
            let (text, image) = match folder {
                f if f.contains("docker") => (docker, "nginx:1.27"),
                f if f.contains("overlay-containers") => (crio, "quay.io/x/y:1"),
                _ => (cri, "docker.io/library/redis:7"),
            };
            let path = root.path().join(folder).join(&id).join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            assert_eq!(
                image_of(root.path(), &id).as_deref(),
                Some(image),
                "{folder}"
            );
        }
        assert_eq!(image_of(root.path(), &"f".repeat(64)), None);
    }

    #[test]
    fn what_is_no_image_gives_none() {
        let root = tempfile::tempdir().unwrap();
        let id = "ab".repeat(32);
        let (folder, file) = PLACES[0];
        let path = root.path().join(folder).join(&id).join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        // A sandbox has no image there; a file may be cut, or anything.
        let long = format!(r#"{{"Config":{{"Image":"{}"}}}}"#, "x".repeat(1000));
        for text in [
            "",
            "{",
            "[]",
            "7",
            r#"{"annotations":null}"#,
            r#"{"annotations":{"io.kubernetes.cri.image-name":7}}"#,
            r#"{"annotations":{"io.kubernetes.cri.image-name":""}}"#,
            r#"{"Config":{"Image":"a\nb"}}"#,
            &long,
        ] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(image_of(root.path(), &id), None, "{text}");
        }
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert_eq!(image_of(root.path(), &id), None, "a folder");
    }
}
