use super::Exit;

#[derive(Debug, clap::Args)]
pub struct Args {}

pub fn run(_: Args) -> anyhow::Result<Exit> {
    Ok(Exit::Ok)
}
