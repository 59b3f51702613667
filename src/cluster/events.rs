//! Events: why a Job's pods can't be made, why a pod does not start.

use serde_json::Value;

use super::object::{ObjectError, items, text};

/// When something was last seen; events are counted up in place, and a list is in no order of time.
fn last_seen(event: &Value) -> String {
    let times = [
        &event["series"]["lastObservedTime"],
        &event["lastTimestamp"],
        &event["eventTime"],
        &event["metadata"]["creationTimestamp"],
    ];
    times.map(text).into_iter().max().unwrap_or_default()
}

/// The newest warning about one object, by its kind, name and UID, as `reason: message`.
///
/// # Errors
/// When this is no list of events.
pub fn newest_warning(
    json: &[u8],
    kind: &str,
    name: &str,
    uid: Option<&str>,
) -> Result<Option<(String, String)>, ObjectError> {
    let events = items(json, "list of events")?;
    let about = |event: &&Value| {
        let object = &event["involvedObject"];
        let is = |key: &str, want: &str| object[key].as_str().is_none_or(|v| v == want);
        event["type"] != "Normal"
            && is("kind", kind)
            && is("name", name)
            && uid.is_none_or(|uid| is("uid", uid))
    };
    let newest = events
        .iter()
        .filter(about)
        .enumerate()
        // Of two at the same time the later in the list.
        .max_by_key(|(number, event)| (last_seen(event), *number));
    Ok(newest.map(|(_, event)| (text(&event["reason"]), text(&event["message"]))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_warning_of_this_very_object_counts() {
        let event = |uid: &str, time: &str, kind: &str, message: &str| {
            serde_json::json!({"type": kind, "reason": "FailedCreate", "message": message,
                "lastTimestamp": time,
                "involvedObject": {"kind": "Job", "name": "memtide", "uid": uid}})
        };
        let list = serde_json::json!({"kind": "List", "items": [
            event("u2", "2026-11-25T10:00:09Z", "Warning", "newest"),
            event("u2", "2026-11-25T10:00:01Z", "Warning", "oldest"),
            event("u2", "2026-11-25T10:00:20Z", "Normal", "fine"),
            event("u1", "2026-11-25T11:00:00Z", "Warning", "of the Job before"),
        ]});
        let json = list.to_string();
        let found = newest_warning(json.as_bytes(), "Job", "memtide", Some("u2")).unwrap();
        assert_eq!(found.unwrap().1, "newest");
        let none = newest_warning(json.as_bytes(), "Pod", "memtide", None).unwrap();
        assert_eq!(none, None);
    }
}
