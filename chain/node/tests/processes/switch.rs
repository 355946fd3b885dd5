//! An Ethernet switch in this process: every frame between nodes is late by a random time and some are lost, as on a
//! long way. The kernel has this too (netem), but often not built in.

use std::collections::{BinaryHeap, HashMap};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use rand::Rng as _;

/// Largest frame: an Ethernet header and 1,500 bytes.
const FRAME: usize = 1_514;

/// Frames on their way; what comes beyond is lost, as in any switch.
const QUEUE: usize = 65_536;

/// What the way does to a frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weather {
    pub(crate) delay: Duration,
    /// Earlier or later by up to this.
    pub(crate) jitter: Duration,
    /// Of a thousand frames, so many are lost.
    pub(crate) lost: u32,
}

type Address = [u8; 6];

/// A frame on its way; the one that is due first is the greatest.
#[derive(PartialEq, Eq)]
struct Late {
    due: Instant,
    port: usize,
    frame: Vec<u8>,
}

impl Ord for Late {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other.due.cmp(&self.due)
    }
}

impl PartialOrd for Late {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

#[derive(Default)]
struct Inner {
    way: Mutex<(BinaryHeap<Late>, HashMap<Address, usize>)>,
    news: Condvar,
}

/// Makes a tap device of this name. It lives as long as the file is open.
pub(crate) fn tap(name: &str) -> std::io::Result<File> {
    let file = File::options().read(true).write(true).open("/dev/net/tun")?;
    let mut request = [0_u8; 40];
    request[..name.len()].copy_from_slice(name.as_bytes());
    let flags = libc::IFF_TAP | libc::IFF_NO_PI;
    request[16..18].copy_from_slice(&u16::try_from(flags).unwrap().to_ne_bytes());
    #[allow(unsafe_code, reason = "there is no safe way to name a tap device")]
    // SAFETY: the request is a `struct ifreq` (40 bytes, the name first, the flags behind it), which outlives the call.
    let done = unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, request.as_mut_ptr()) };
    if done < 0 { Err(std::io::Error::last_os_error()) } else { Ok(file) }
}

/// Joins the ports; works until the process ends.
pub(crate) fn join(ports: Vec<File>, weather: Weather) {
    let (inner, ports) = (Arc::new(Inner::default()), Arc::new(ports));
    for port in 0..ports.len() {
        let (inner, ports) = (inner.clone(), ports.clone());
        std::thread::spawn(move || receive(&inner, &ports, port, weather));
    }
    std::thread::spawn(move || deliver(&inner, &ports));
}

fn receive(inner: &Inner, ports: &[File], port: usize, weather: Weather) {
    let mut rng = rand::rng();
    let mut frame = [0; FRAME];
    let mut from = &ports[port];
    while let Ok(size) = from.read(&mut frame) {
        let Some((to, source)) = frame.first_chunk::<12>().map(|head| head.split_at(6)) else { return };
        let mut way = inner.way.lock().unwrap();
        way.1.insert(source.try_into().unwrap(), port);
        let known = way.1.get(to).copied();
        for other in (0..ports.len()).filter(|other| *other != port) {
            let wanted = known.is_none_or(|known| known == other);
            if !wanted || rng.random_range(0..1_000) < weather.lost || way.0.len() >= QUEUE {
                continue;
            }
            let late = weather.jitter.mul_f64(rng.random_range(-1.0..1.0_f64).abs());
            let wait = if rng.random() { weather.delay + late } else { weather.delay.saturating_sub(late) };
            way.0.push(Late { due: Instant::now() + wait, port: other, frame: frame[..size].to_vec() });
        }
        inner.news.notify_one();
    }
}

fn deliver(inner: &Inner, ports: &[File]) {
    let mut way = inner.way.lock().unwrap();
    loop {
        let now = Instant::now();
        let wait =
            way.0.peek().map_or(Duration::from_secs(1), |first| first.due.saturating_duration_since(now));
        if wait.is_zero() {
            if let Some(Late { port, frame, .. }) = way.0.pop() {
                // A device that is down takes nothing: the frame is lost.
                let _ = (&ports[port]).write_all(&frame);
            }
        } else {
            way = inner.news.wait_timeout(way, wait).unwrap().0;
        }
    }
}
