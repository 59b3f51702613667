//! `memtide plot`: one recording as a picture.

use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The recording: a file, or one that comes with memtide (`6.1-v1/log-write`).
    recording: PathBuf,
    /// Where to write the picture: the name ends in `.svg` or `.png`.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Draw this group: `pod` or a container (default: the first container).
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
}

/// Says what is missing.
#[cfg(not(feature = "plot"))]
pub fn run(_: Args) -> anyhow::Result<super::Exit> {
    Err(super::Failure::environment(
        "this memtide was built without the feature `plot`, so it can't draw; build it with \
         `--features plot`",
    ))
}

#[cfg(feature = "plot")]
pub use with_figures::run;

#[cfg(feature = "plot")]
mod with_figures {
    use anyhow::Context;

    use super::super::Exit;
    use super::super::common::{load_recording, picture, write_file};
    use super::Args;
    use crate::plot::{Figure, to_file};
    use crate::scenario;

    /// Draws and writes.
    pub fn run(args: Args) -> anyhow::Result<Exit> {
        let path = &args.recording;
        let extension = picture(&args.output)?;
        let recording = load_recording(path)?;
        let group = match &args.group {
            None => recording.main_group(),
            Some(name) => recording.group(name).with_context(|| {
                let names = recording.group_names();
                format!("{} has no group `{name}`; it has {names}", path.display())
            })?,
        };
        let header = &recording.header;
        let shown = path.display().to_string();
        let scenario = scenario::parse(&header.scenario_text, &shown, &header.scenario).ok();
        let figure = Figure::new(&recording, group, scenario.as_ref(), None)
            .with_context(|| path.display().to_string())?;
        write_file(&args.output, to_file(&figure, extension)?)?;
        Ok(Exit::Ok)
    }
}
