//! Starting a node as a process of its own, and the time until it says that it is healthy.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use acumen_chain_node::run;
use tokio_util::sync::CancellationToken;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::Outcome;
use crate::chain;
use crate::system::{disk_bytes, memory_kib};

/// Where the node listens.
const LISTEN: &str = "127.0.0.1:9944";

/// Longest wait.
const PATIENCE: Duration = Duration::from_secs(300);

/// Starts of which each is measured.
const STARTS: usize = 3;

/// Is a node, until it is killed.
pub(crate) fn node(dir: &Path) -> Outcome<()> {
    let config = acumen_chain_node::Config { listen: LISTEN.parse()?, ..chain::config(dir, 1_024) };
    tokio::runtime::Runtime::new()?.block_on(run(config, CancellationToken::new()))?;
    Ok(())
}

/// Starts a node several times and tells how long it took.
pub(crate) fn measure(dir: &Path, program: Option<&str>) -> Outcome<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    println!("disk {} MB", disk_bytes(&dir.join("data")) / 1_000_000);
    for _ in 0..STARTS {
        let mut command = match program {
            Some(program) => {
                let mut command = Command::new(program);
                command.args(["node", "run", "--config"]).arg(dir.join("node.toml"));
                command
            }
            None => {
                let mut command = Command::new(std::env::current_exe()?);
                command.arg("node").arg(dir);
                command
            }
        };
        let begun = Instant::now();
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let healthy = runtime.block_on(async { tokio::time::timeout(PATIENCE, healthy(begun)).await });
        let (peak, resident) = (memory_kib(child.id(), "VmHWM"), memory_kib(child.id(), "VmRSS"));
        child.kill()?;
        child.wait()?;
        let time = healthy?;
        println!(
            "healthy after {:.2} s; peak memory {} MB, resident {} MB",
            time.as_secs_f64(),
            peak * 1_024 / 1_000_000,
            resident * 1_024 / 1_000_000
        );
    }
    Ok(())
}

async fn healthy(begun: Instant) -> Duration {
    loop {
        if asked().await.is_some() {
            return begun.elapsed();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn asked() -> Option<()> {
    let channel = tonic::transport::Endpoint::from_static("http://127.0.0.1:9944").connect().await.ok()?;
    let request = HealthCheckRequest { service: "acumen.chain.v1.Chain".to_owned() };
    let answer = HealthClient::new(channel).check(request).await.ok()?;
    (answer.into_inner().status() == ServingStatus::Serving).then_some(())
}
