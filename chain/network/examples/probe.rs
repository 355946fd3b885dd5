//! Dials one address and says who is there: `cargo run -p acumen-chain-network --example probe -- /ip4/127.0.0.1/tcp/9901`

use std::time::Duration;

#[tokio::main]
async fn main() {
    for text in std::env::args().skip(1) {
        match text.parse() {
            Ok(address) => match acumen_chain_network::probe(&address, None, Duration::from_secs(15)).await {
                Ok(found) => println!("{found:?}"),
                Err(error) => println!("{error}"),
            },
            Err(error) => println!("`{text}` is no address: {error}"),
        }
    }
}
