//! Nodes on a network where every frame takes a tenth of a second and some are lost.

use std::time::{Duration, Instant};

use crate::net::{Net, Place, consensus_at};
use crate::sandbox::{inside, must};
use crate::switch::{self, Weather};
use crate::wanted;

/// Each node in a namespace, on a port of one switch; a link apart from that to be asked over.
fn wire(count: usize, weather: Weather) -> std::io::Result<Vec<Place>> {
    let mut ports = Vec::new();
    let mut places = Vec::new();
    for index in 0..count {
        let (name, host) = (format!("node{index}"), format!("10.9.0.{}", 10 + index));
        ports.push(switch::tap(&format!("port{index}"))?);
        for command in [
            format!("ip netns add {name}"),
            format!("ip -n {name} link set lo up"),
            format!("ip link set port{index} netns {name}"),
            format!("ip -n {name} address add {host}/24 dev port{index}"),
            format!("ip -n {name} link set port{index} up"),
            format!("ip link add ask{index} type veth peer name ask netns {name}"),
            format!("ip address add 10.8.{index}.1/30 dev ask{index}"),
            format!("ip link set ask{index} up"),
            format!("ip -n {name} address add 10.8.{index}.2/30 dev ask"),
            format!("ip -n {name} link set ask up"),
        ] {
            must(&command);
        }
        places.push(Place {
            consensus: consensus_at(&host),
            listen: "0.0.0.0:9944".to_owned(),
            url: format!("http://10.8.{index}.2:9944"),
            within: vec!["nsenter".to_owned(), format!("--net=/run/netns/{name}")],
        });
    }
    switch::join(ports, weather);
    Ok(places)
}

#[test]
fn nodes_go_on_with_loss_and_delay() {
    if !inside("weather::nodes_go_on_with_loss_and_delay") {
        return;
    }
    // Seven nodes are much for a machine that runs other tests at the same time.
    let (count, blocks) = wanted().map_or((4, 6), |wanted| (7, wanted));
    let weather = Weather { delay: Duration::from_millis(100), jitter: Duration::from_millis(20), lost: 20 };
    let places = match wire(count, weather) {
        Ok(places) => places,
        Err(error) => {
            println!("skipped, no nodes with loss and delay: /dev/net/tun: {error}");
            return;
        }
    };
    let mut net = Net::placed(places);
    net.block_time = 250;
    net.start_all();
    let first = net.reach(&net.all(), 3);
    let start = Instant::now();
    net.reach(&net.all(), 3 + u64::try_from(blocks).unwrap());
    let pace = start.elapsed() / u32::try_from(blocks).unwrap();
    println!("{count} nodes, {weather:?}: three blocks after {first:?}, then one in {pace:?}");
    net.compare();
}
