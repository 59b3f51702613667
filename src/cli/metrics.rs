//! `--metrics-listen`: what several subcommands serve to Prometheus.

use std::io::Write;

use super::Failure;
use crate::metrics::{Endpoint, Publisher, Shared};

/// Where metrics are served.
#[derive(Debug, Clone, clap::Args)]
pub struct Listen {
    /// Serve the latest samples at http://ADDR/metrics under cAdvisor's names, with the truth and
    /// every formula (`127.0.0.1:9123`; `:9123` for all interfaces; port 0 takes a free one).
    #[arg(long, value_name = "ADDR")]
    metrics_listen: Option<String>,
}

impl Listen {
    /// Starts the endpoint, if one is wanted, and says on stderr where it is.
    pub fn start(&self) -> anyhow::Result<Option<Publisher>> {
        let Some(address) = &self.metrics_listen else {
            return Ok(None);
        };
        let board = Shared::default();
        let endpoint = Endpoint::start(address, board.clone()).map_err(Failure::environment)?;
        let url = format!("http://{}/metrics", endpoint.address());
        writeln!(std::io::stderr(), "metrics: {url}")?;
        Ok(Some(Publisher::new(board)))
    }

    /// The same for what runs in this pod, if the downward API tells which it is.
    pub fn start_in_pod(&self) -> anyhow::Result<Option<Publisher>> {
        let told = |name| std::env::var(name).ok().filter(|text| !text.is_empty());
        let publisher = self.start()?;
        Ok(publisher.map(|p| p.in_pod(told("MEMTIDE_POD"), told("MEMTIDE_NAMESPACE"))))
    }
}
