//! A gateway over three small n-gram miners in one process: try a client without a chain.
//!
//! `cargo run -p acumen-gateway --example demo -- 127.0.0.1:8080`; Ctrl-C stops it.

#[path = "../tests/common/mod.rs"]
mod common;

use acumen_gateway::run_with;
use acumen_protocol::Keypair;
use common::{Behaviour, Listed, config, miner, roster};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let mut miners = Vec::new();
    for order in [3, 2, 1] {
        miners.push(miner(order, Behaviour::Good).await);
    }
    let directory = Listed(roster(&miners.iter().collect::<Vec<_>>()));
    let (listener, shutdown) = (TcpListener::bind(&address).await?, CancellationToken::new());
    let stop = shutdown.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            stop.cancel();
        }
    });
    println!("http://{}", listener.local_addr()?);
    Ok(run_with(config(), Keypair::from_seed(&[99; 32]), directory, listener, shutdown).await?)
}
