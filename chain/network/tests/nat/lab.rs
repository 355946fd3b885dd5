//! The public network 5.1.0.0/24 on a bridge, one host in it, and routers with a private network of one host behind each.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::node::Node;
use crate::sandbox::must;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Transport {
    Tcp,
    Quic,
}

impl Transport {
    pub(crate) fn at(self, host: &str) -> String {
        match self {
            Self::Tcp => format!("/ip4/{host}/tcp/9901"),
            Self::Quic => format!("/ip4/{host}/udp/9901/quic-v1"),
        }
    }
}

/// How a router gives ports.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Nat {
    /// A socket keeps its port whomever it speaks to, as most routers at home do it.
    OnePort,
    /// Another one for each connection, as large networks do it: nobody can say in advance which.
    AnyPort,
}

/// Is there `nft`, and does the kernel do what it is told here?
pub(crate) fn can_filter(test: &str) -> bool {
    let tried = nft(
        &["nft"],
        "table ip nat { chain out { type nat hook postrouting priority srcnat; oifname \"x\" masquerade; }; }",
    );
    if let Err(reason) = &tried {
        println!("skipped {test}: no NAT can be made here: {reason}");
    }
    tried.is_ok()
}

fn nft(command: &[&str], rules: &str) -> Result<(), String> {
    let mut child = Command::new(command[0])
        .args(&command[1..])
        .args(["-f", "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{}: {error}", command[0]))?;
    child.stdin.take().unwrap().write_all(rules.as_bytes()).map_err(|error| error.to_string())?;
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

/// The wires. They end with the test's namespace.
pub(crate) struct Lab {
    transport: Transport,
    logs: tempfile::TempDir,
}

impl Lab {
    pub(crate) fn new(transport: Transport) -> Self {
        must("ip link add public type bridge");
        must("ip link set public up");
        Self { transport, logs: tempfile::tempdir().unwrap() }
    }

    fn node(&self, name: &str, tag: u8) -> Node {
        let within = ["nsenter".to_owned(), format!("--net=/run/netns/{name}")].to_vec();
        Node::new(tag, within, self.transport.at("0.0.0.0"), self.logs.path().join(name))
    }

    /// A host in the open, at 5.1.0.1.
    pub(crate) fn public(&self) -> Node {
        plug("open", "wan", "5.1.0.1");
        self.node("open", 100)
    }

    /// A host behind a router at 5.1.0.(10 + `number`).
    pub(crate) fn behind(&self, number: u8, nat: Nat) -> Node {
        let (router, host) = (format!("router{number}"), format!("host{number}"));
        plug(&router, "wan", &format!("5.1.0.{}", 10 + number));
        for command in [
            format!("ip netns add {host}"),
            format!("ip -n {host} link set lo up"),
            format!("ip -n {router} link add lan type veth peer name eth netns {host}"),
            format!("ip -n {router} address add 192.168.{number}.1/24 dev lan"),
            format!("ip -n {router} link set lan up"),
            format!("ip -n {host} address add 192.168.{number}.2/24 dev eth"),
            format!("ip -n {host} link set eth up"),
            format!("ip -n {host} route add default via 192.168.{number}.1"),
            format!("nsenter --net=/run/netns/{router} sysctl -q -w net.ipv4.ip_forward=1"),
        ] {
            must(&command);
        }
        let ports = match nat {
            Nat::OnePort => "",
            Nat::AnyPort => "fully-random",
        };
        let rules = format!(
            "table ip nat {{ chain out {{ type nat hook postrouting priority srcnat; oifname \"wan\" masquerade {ports}; }}; }}
             table ip filter {{
                 chain through {{
                     type filter hook forward priority filter; policy drop;
                     iifname \"lan\" accept
                     ct state established,related accept
                 }}
                 chain here {{ type filter hook input priority filter; policy drop; iifname \"lan\" accept; }}
             }}"
        );
        nft(&["nsenter", &format!("--net=/run/netns/{router}"), "nft"], &rules).unwrap();
        self.node(&host, number)
    }
}

/// A namespace with a device on the bridge.
fn plug(name: &str, device: &str, address: &str) {
    for command in [
        format!("ip netns add {name}"),
        format!("ip -n {name} link set lo up"),
        format!("ip link add port-{name} type veth peer name {device} netns {name}"),
        format!("ip link set port-{name} master public up"),
        format!("ip -n {name} address add {address}/24 dev {device}"),
        format!("ip -n {name} link set {device} up"),
    ] {
        must(&command);
    }
}
