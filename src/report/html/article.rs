//! One recording's part of the page.

use std::fmt::Write as _;

use super::data::Chart;
use super::scorecard::{self, Answer};
use super::text::{paragraphs, table};
use super::{Entry, HtmlError, pack, tables};
use crate::markup::escape;
use crate::plot::{Figure, Picture, steps, to_svg};

/// Points of each series in the still figure: enough for paper, a few dozen KB.
const STILL_SAMPLES_MAX: usize = 240;

/// The recording at `index` of the page.
pub fn article(index: usize, entry: &Entry, answers: &[Answer]) -> Result<String, HtmlError> {
    let recording = &entry.recording;
    let scenario = entry.scenario.as_ref();
    let bands = steps::bands(recording, scenario);
    let setup = entry.setup();
    let (name, setup_text) = (escape(entry.scenario_name()), escape(&setup));
    let mut out = format!("<article id=\"r{index}\" aria-labelledby=\"r{index}-title\">\n");
    let _ = writeln!(
        out,
        "<h2 id=\"r{index}-title\">{name} <small>{setup_text}</small></h2>"
    );
    if let Some(scenario) = scenario {
        let _ = writeln!(out, "<p class=lead>{}</p>", escape(&scenario.title));
    }
    out.push_str(&verdict(entry));
    if let Some(scenario) = scenario {
        let story = paragraphs(&scenario.story);
        let _ = writeln!(
            out,
            "<details><summary>The story</summary>\n{story}</details>"
        );
    }
    out.push_str(&viewer(index, entry)?);
    let answers: Vec<&Answer> =
        scorecard::answers_to(answers, entry.scenario_name(), &setup).collect();
    out.push_str(&fired(&answers));
    out.push_str(&tables::steps(recording, &bands));
    out.push_str(&tables::checks(&entry.checks));
    out.push_str(&warnings(entry));
    let host = tables::host(entry);
    let _ = writeln!(
        out,
        "<details><summary>The machine and the recording</summary>\n{host}</details>"
    );

    let marks = steps::marks(recording);
    let chart = Chart::new(recording, &bands, &marks, &answers, steps::end(recording));
    let error = || entry.path.clone();
    let json = serde_json::to_vec(&chart).map_err(|source| HtmlError::Json {
        name: error(),
        source,
    })?;
    let packed = pack::pack(&json).map_err(|source| HtmlError::Pack {
        name: error(),
        source,
    })?;
    let _ = writeln!(
        out,
        "<script type=\"text/plain\" id=\"data-{index}\">{packed}</script>\n</article>"
    );
    Ok(out)
}

/// Outcome and expectations in a sentence.
fn verdict(entry: &Entry) -> String {
    let (met, applying) = entry.met();
    let (class, mark, word) = entry.class();
    let outcome = match &entry.recording.footer {
        Some(footer) => format!("{}: {}", footer.outcome, footer.reason),
        None => "the recording was cut before its end".into(),
    };
    format!(
        "<p class=verdict><b class={class}>{mark}{word}</b> ({met} of {applying} expectations met). {}.</p>\n",
        escape(outcome.trim_end_matches('.'))
    )
}

/// The still figure, and room for what the script makes of it.
fn viewer(index: usize, entry: &Entry) -> Result<String, HtmlError> {
    let recording = &entry.recording;
    let figure = Figure::new(
        recording,
        recording.main_group(),
        entry.scenario.as_ref(),
        Some(STILL_SAMPLES_MAX),
    )
    .and_then(|figure| Ok((figure.description(), to_svg(&figure)?)));
    let (description, svg) = match figure {
        Ok(parts) => parts,
        Err(source @ crate::plot::PlotError::Empty(_)) => {
            return Ok(format!(
                "<p class=bad>{}</p>\n",
                escape(&source.to_string())
            ));
        }
        Err(source) => {
            return Err(HtmlError::Figure {
                name: entry.path.clone(),
                source,
            });
        }
    };
    // The SVG is part of HTML, where its XML heading would be a comment.
    let svg = svg.find("<svg").map_or("", |at| &svg[at..]);
    Ok(format!(
        "<div class=viewer data-chart=\"data-{index}\">\n<div class=chart role=img aria-label=\"{}\">{svg}</div>\n</div>\n",
        escape(&description)
    ))
}

fn fired(answers: &[&Answer]) -> String {
    if answers.is_empty() {
        return String::new();
    }
    let mut rows = String::new();
    for answer in answers {
        let _ = writeln!(
            rows,
            "<tr><th scope=row>{}</th><td><b class={}>{}</b></td><td class=n>{}</td></tr>",
            escape(&answer.detector),
            if answer.right { "good" } else { "bad" },
            escape(&answer.judgement),
            answer.fired.map_or("–".into(), |t| format!("{t:.2} s")),
        );
    }
    let head = "<th scope=col>detector<th scope=col>judgement<th scope=col class=n>fired at";
    table("Detectors", head, &rows)
}

fn warnings(entry: &Entry) -> String {
    let warned = entry.recording.warnings();
    let warnings: String = warned
        .map(|text| format!("<li>{}</li>\n", escape(text)))
        .collect();
    match warnings.as_str() {
        "" => String::new(),
        _ => {
            format!("<details open><summary>Warnings</summary>\n<ul>\n{warnings}</ul></details>\n")
        }
    }
}
