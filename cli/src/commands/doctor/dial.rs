//! Why an address cannot be reached: of a node's gRPC server (`http://HOST:PORT`) or of a peer (`/ip4/…/tcp/…`).

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use acumen_chain_client::{ChainClient, ClientError};
use acumen_chain_network::core::address::{is_acceptable, relay_of, without_peer};
use acumen_chain_network::{Multiaddr, probe};
use acumen_protocol::Hash;
use tokio::net::{TcpStream, lookup_host};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What was found at an address, or what is wrong and what to do.
pub(super) async fn dial(text: &str, genesis: Option<Hash>) -> Result<String, String> {
    if text.starts_with('/') {
        let address = text.parse().map_err(|error| format!("`{text}` is no address: {error}"))?;
        return peer(&address, genesis).await;
    }
    node(text, genesis).await
}

async fn peer(address: &Multiaddr, genesis: Option<Hash>) -> Result<String, String> {
    let begin = Instant::now();
    let found = probe(address, genesis, PATIENCE).await.map_err(|error| error.to_string())?;
    let millis = begin.elapsed().as_millis();
    let (peer, agent) = (found.peer, found.agent.escape_debug().to_string());
    match found.genesis {
        Some(chain) => Ok(format!(
            "peer {peer} ({agent}) on the chain with genesis {chain}, after {millis} ms; {}",
            reached(&found.listening)
        )),
        None => Err(format!(
            "{peer} ({agent}) answers, but gossips on no Acumen chain: is this a consensus address? Use that of \
             `network.listen`"
        )),
    }
}

/// How others reach a peer, from the addresses that it announces: it listens at relays only if it was found that others
/// cannot dial it.
fn reached(announced: &[Multiaddr]) -> String {
    let mut relays: Vec<String> =
        announced.iter().filter_map(relay_of).map(|relay| relay.to_string()).collect();
    relays.sort();
    relays.dedup();
    if !relays.is_empty() {
        return format!("others cannot dial it and are relayed by {}", relays.join(" and "));
    }
    let public: Vec<String> = announced
        .iter()
        .filter(|address| is_acceptable(address, false))
        .map(|address| without_peer(address).to_string())
        .collect();
    match public.as_slice() {
        [] => "it knows no address at which others on the internet could reach it: is it still looking, or on a \
               private network?"
            .to_owned(),
        found => format!("it says that others reach it at {}", found.join(" and ")),
    }
}

async fn node(url: &str, genesis: Option<Hash>) -> Result<String, String> {
    let (host, port) = host_and_port(url)?;
    let addresses: Vec<_> = match tokio::time::timeout(PATIENCE, lookup_host((host, port))).await {
        Err(_) => return Err(format!("the name {host} does not resolve in time: check this machine's DNS")),
        Ok(Err(error)) => {
            return Err(format!(
                "the name {host} does not resolve: check its spelling and this machine's DNS ({error})"
            ));
        }
        Ok(Ok(found)) => found.collect(),
    };
    let mut last = format!("the name {host} has no address");
    let mut reached = false;
    for address in addresses {
        match tokio::time::timeout(PATIENCE, TcpStream::connect(address)).await {
            Ok(Ok(_)) => {
                reached = true;
                break;
            }
            Ok(Err(error)) => last = refused(&address.to_string(), &error),
            Err(_) => {
                last = format!(
                    "{address} does not answer: the machine is down, the port is filtered, or it is behind NAT"
                );
            }
        }
    }
    if !reached {
        return Err(last);
    }
    let connected = tokio::time::timeout(PATIENCE, ChainClient::connect(&[url.to_owned()], genesis)).await;
    let client =
        connected.map_err(|_| format!("{url} accepts connections and does not answer: is it a node?"))?;
    let client = client.map_err(|error| explain(url, &error))?;
    let status = client.status().await.map_err(|error| explain(url, &error))?;
    Ok(format!(
        "node {} of chain {} at height {}, genesis {}",
        status.version, status.chain, status.tip.height, status.genesis
    ))
}

fn host_and_port(url: &str) -> Result<(&str, u16), String> {
    let bad =
        || format!("`{url}` is no node's address: write http://HOST:PORT, or /ip4/IP/tcp/PORT for a peer");
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://")).ok_or_else(bad)?;
    let (host, port) = rest.trim_end_matches('/').rsplit_once(':').ok_or_else(bad)?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() || host.contains('/') {
        return Err(bad());
    }
    Ok((host, port.parse().map_err(|_| bad())?))
}

fn refused(address: &str, error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::ConnectionRefused => {
            format!(
                "{address} refuses: no program listens on that port, or a firewall rejects it; is the node up?"
            )
        }
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
            format!("no route to {address}: check this machine's network ({error})")
        }
        _ => format!("{address}: {error}"),
    }
}

/// The transport works; what is wrong is above it.
fn explain(url: &str, error: &ClientError) -> String {
    match error {
        ClientError::Unreachable { reason, .. } => {
            format!("{url} accepts connections, but speaks no gRPC: is it another service's port? ({reason})")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_and_nonsense_is_refused() {
        assert_eq!(host_and_port("http://127.0.0.1:9944"), Ok(("127.0.0.1", 9944)));
        assert_eq!(host_and_port("http://[::1]:9944/"), Ok(("::1", 9944)));
        for wrong in ["127.0.0.1:9944", "http://host", "http://:1", "http://host:99999", "http://a/b:1", ""] {
            assert!(host_and_port(wrong).unwrap_err().contains("http://HOST:PORT"), "{wrong}");
        }
    }

    #[test]
    fn what_a_peer_announces_says_how_it_is_reached() {
        let relay = "12D3KooWGjnJ5YdfJW1MNVzAAvSR3wJ8tE3sGAbsjnz9BVYVhhMw";
        let says = |texts: &[&str]| {
            reached(&texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<Multiaddr>>())
        };
        let private = "/ip4/192.168.1.2/tcp/9901";
        assert!(says(&[private]).contains("knows no address"));
        assert!(says(&[private, "/ip4/9.9.9.9/tcp/9901"]).ends_with("reach it at /ip4/9.9.9.9/tcp/9901"));
        let circuit = format!("/ip4/9.9.9.9/tcp/9901/p2p/{relay}/p2p-circuit");
        let behind = says(&[private, &circuit, &circuit]);
        assert!(behind.contains("cannot dial it") && behind.matches(relay).count() == 1, "{behind}");
    }

    #[tokio::test]
    async fn each_cause_has_its_words() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let served = tokio::spawn(async move {
            // Two visitors: the check of the port, and the client.
            for _ in 0..2 {
                use tokio::io::AsyncWriteExt as _;
                let (mut stream, _) = listener.accept().await.unwrap();
                let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n").await;
            }
        });
        let other = dial(&format!("http://127.0.0.1:{port}"), None).await.unwrap_err();
        assert!(other.contains("speaks no gRPC"), "{other}");
        served.await.unwrap();
        let refused = dial(&format!("http://127.0.0.1:{port}"), None).await.unwrap_err();
        assert!(refused.contains("refuses"), "{refused}");
        let refused = dial(&format!("/ip4/127.0.0.1/tcp/{port}"), None).await.unwrap_err();
        assert!(refused.contains("refused the connection"), "{refused}");
        let nonsense = dial("/ip4/300.1.1.1/tcp/1", None).await.unwrap_err();
        assert!(nonsense.contains("is no address"), "{nonsense}");
    }
}
