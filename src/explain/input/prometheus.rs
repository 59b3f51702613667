//! The answer of Prometheus' HTTP API, rewritten as the metrics page it was scraped from.

use serde::Deserialize;
use serde_json::{Deserializer, Map, Value};

use super::metrics;
use crate::explain::{Reading, What, kinds, names};

#[derive(Deserialize)]
struct Answer {
    data: Data,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    #[serde(default)]
    result_type: String,
    /// Each is read by itself: one that is cut or odd spoils no other.
    result: Vec<Value>,
}

/// One series: an instant query gives its value, a range query its values, the newest last.
#[derive(Deserialize)]
struct Series {
    metric: Map<String, Value>,
    value: Option<(f64, String)>,
    #[serde(default)]
    values: Vec<(f64, String)>,
}

/// The readings of such an answer, each with the values it had over time; none if the text is none.
pub fn read(text: &str) -> Option<Vec<Reading>> {
    let data = data(text)?;
    let series = data.series();
    let lines: Vec<&str> = series.iter().map(|(line, _)| line.as_str()).collect();
    let mut readings = metrics::read(&lines.join("\n"));
    let ranges = series.iter().filter(|_| data.result_type == "matrix");
    for (line, series) in ranges {
        series.over_time(line, &mut readings);
    }
    (!lines.is_empty()).then_some(readings)
}

fn data(text: &str) -> Option<Data> {
    let start = text.find('{')?;
    let mut documents = Deserializer::from_str(&text[start..]).into_iter::<Answer>();
    Some(documents.next()?.ok()?.data)
}

impl Data {
    /// All series, each with its line of the page.
    fn series(&self) -> Vec<(String, Series)> {
        let all = self.result.iter();
        let all = all.filter_map(|one| Series::deserialize(one).ok());
        all.filter_map(|one| Some((one.line()?, one))).collect()
    }
}

impl Series {
    fn name(&self) -> Option<&str> {
        self.metric.get("__name__")?.as_str()
    }

    /// The page's line for its newest value.
    fn line(&self) -> Option<String> {
        let (seconds, value) = self.value.as_ref().or(self.values.last())?;
        let is_label = |label: &(&String, &Value)| label.0 != "__name__" && label.1.is_string();
        let labels = self.metric.iter().filter(is_label);
        // A JSON string's escapes are those of a label's value.
        let labels: Vec<String> = labels
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        let (name, labels) = (self.name()?, labels.join(","));
        Some(format!("{name}{{{labels}}} {value} @[{seconds}]"))
    }

    /// Gives the reading that it is of its values over time.
    fn over_time(&self, line: &str, readings: &mut [Reading]) {
        let point = |(time, value): &(f64, String)| {
            let value: f64 = value.parse().ok()?;
            let fits = (0.0..1.8e19).contains(&value);
            fits.then_some((*time, value as u64))
        };
        let points: Vec<(f64, u64)> = self.values.iter().filter_map(point).collect();
        // The reader of the page names what the series is of.
        let (of_line, row) = (metrics::read(line), self.name().unwrap_or(""));
        let same =
            |reading: &&mut Reading| of_line.first().is_some_and(|of| of.label == reading.label);
        if let Some(reading) = readings.iter_mut().find(same)
            && points.len() > 1
            && (reading.what == What::Memory || row.ends_with("working_set_bytes"))
        {
            let series = kinds::Series::of(names::of_metric(row), points);
            reading.what = What::Series(series);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn page(text: &str) -> String {
        let series = data(text).map_or(Vec::new(), |data| data.series());
        let lines: Vec<String> = series.into_iter().map(|(line, _)| line).collect();
        lines.join("\n")
    }

    #[test]
    fn instant_and_range_queries() {
        let text = r#"{"status":"success","data":{"resultType":"vector","result":[
            {"metric":{"__name__":"container_memory_rss","pod":"a\"b"},"value":[1626540112.26,"5"]},
            {"metric":{"__name__":"container_memory_cache","pod":"a"},"values":[[1,"5"],[2,"7"]]}]}}"#;
        assert_eq!(
            page(text),
            "container_memory_rss{pod=\"a\\\"b\"} 5 @[1626540112.26]\ncontainer_memory_cache{pod=\"a\"} 7 @[2]"
        );
        assert_eq!(page("{\"data\": 5}"), "");
    }

    proptest! {
        #[test]
        fn nothing_panics(text in ".{0,80}") {
            read(&text);
        }
    }
}
