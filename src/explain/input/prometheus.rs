//! The answer of Prometheus' HTTP API, rewritten as the metrics page it was scraped from.

use serde_json::{Map, Value};

use super::metrics;
use crate::explain::kinds::Series;
use crate::explain::{Reading, What};

/// The page's lines for all series of the answer; none if the text is no such answer.
pub fn page(text: &str) -> Option<String> {
    let start = text.find('{')?;
    let mut documents = serde_json::Deserializer::from_str(&text[start..]).into_iter::<Value>();
    let document = documents.next()?.ok()?;
    let result = document.get("data")?.get("result")?.as_array()?;
    let lines: Vec<String> = result.iter().filter_map(line).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// Gives the readings of a range query's answer the values they had over time.
pub fn series(text: &str, readings: &mut [Reading]) {
    let Some(start) = text.find('{').filter(|_| text.contains("\"matrix\"")) else {
        return;
    };
    let mut documents = serde_json::Deserializer::from_str(&text[start..]).into_iter::<Value>();
    let Some(Ok(document)) = documents.next() else {
        return;
    };
    let all = document
        .get("data")
        .and_then(|data| data.get("result")?.as_array());
    for one in all.into_iter().flatten() {
        let Some((label, points)) = line(one).zip(points(one)) else {
            continue;
        };
        // The reader of the page names what the series is of.
        let of_line = metrics::read(&label).into_iter().next();
        let Some(row) = one.get("metric").and_then(|m| m.get("__name__")?.as_str()) else {
            continue;
        };
        let found = of_line.and_then(|of| {
            readings
                .iter_mut()
                .find(|reading| reading.label == of.label)
        });
        if let Some(reading) = found
            && (reading.what == What::Memory || row.ends_with("working_set_bytes"))
        {
            let row = row
                .trim_start_matches("container_memory_")
                .trim_end_matches("_bytes");
            reading.what = What::Series(Series {
                row: row.into(),
                points,
                ..Series::default()
            });
        }
    }
}

fn points(series: &Value) -> Option<Vec<(f64, u64)>> {
    let values = series.get("values")?.as_array()?;
    let point = |pair: &Value| {
        let value: f64 = pair.get(1)?.as_str()?.parse().ok()?;
        let time = pair.get(0)?.as_f64()?;
        (0.0..1.8e19)
            .contains(&value)
            .then_some((time, value as u64))
    };
    let points: Vec<(f64, u64)> = values.iter().filter_map(point).collect();
    (points.len() > 1).then_some(points)
}

fn line(series: &Value) -> Option<String> {
    let metric = series.get("metric")?.as_object()?;
    let name = metric.get("__name__")?.as_str()?;
    // A range query gives several values: the last is the newest.
    let pair = series
        .get("value")
        .or_else(|| series.get("values")?.as_array()?.last())?
        .as_array()?;
    let seconds = pair.first()?.as_f64()?;
    let value = pair.get(1)?.as_str()?;
    Some(format!("{name}{{{}}} {value} @[{seconds}]", labels(metric)))
}

fn labels(metric: &Map<String, Value>) -> String {
    let labels = metric
        .iter()
        .filter(|(key, value)| *key != "__name__" && value.is_string());
    // A JSON string's escapes are those of a label's value.
    let written = labels.map(|(key, value)| format!("{key}={value}"));
    written.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn instant_and_range_queries() {
        let text = r#"{"status":"success","data":{"resultType":"vector","result":[
            {"metric":{"__name__":"container_memory_rss","pod":"a\"b"},"value":[1626540112.26,"5"]},
            {"metric":{"__name__":"container_memory_cache","pod":"a"},"values":[[1,"5"],[2,"7"]]}]}}"#;
        assert_eq!(
            page(text).unwrap(),
            "container_memory_rss{pod=\"a\\\"b\"} 5 @[1626540112.26]\ncontainer_memory_cache{pod=\"a\"} 7 @[2]"
        );
        assert_eq!(page("{\"data\": 5}"), None);
    }

    proptest! {
        #[test]
        fn nothing_panics(text in ".{0,80}") {
            page(&text);
        }
    }
}
