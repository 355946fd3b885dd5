//! What the miner's pages say: metrics with the gauges as of now, and whether questions are taken.

use std::fmt;

use acumen_serving::Pages;

use crate::service::Shared;

impl Pages for Shared {
    fn metrics(&self) -> Result<String, fmt::Error> {
        let (load, queue) = (self.engine.load(), self.waiting());
        self.metrics.page(self.slots.running(), &load, &queue, self.is_ready())
    }

    fn ready(&self) -> Result<(), &'static str> {
        if self.is_ready() { Ok(()) } else { Err("loading or shutting down") }
    }
}
