//! Runs a scenario, built in or from a file, and says where the time went: `simulate SCENARIO DIR`.

use std::error::Error;
use std::path::Path;

use acumen_simulations::{Scenario, run, shipped, write};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(name), Some(dir)) = (args.next(), args.next()) else {
        return Err("usage: simulate SCENARIO DIR".into());
    };
    let scenario = shipped(&name).unwrap_or_else(|| Scenario::load(&name))?;
    let result = run(&scenario, &mut |_| {})?;
    write(&result, Path::new(&dir))?;
    let timing = result.timing;
    let share = |part: std::time::Duration| 100.0 * part.as_secs_f64() / timing.total.as_secs_f64();
    println!(
        "{} epochs in {:.2} s: {:.0} epochs/s; signing {:.0} %, ledger {:.0} %, scoring {:.0} %",
        scenario.epochs,
        timing.total.as_secs_f64(),
        scenario.epochs as f64 / timing.total.as_secs_f64(),
        share(timing.signing),
        share(timing.ledger),
        share(timing.scoring),
    );
    for neuron in &result.summary.neurons {
        println!(
            "{:<24} {:<20} incentive {:.4}  dividend per stake {:.3}  emission {} nacu",
            neuron.name, neuron.behaviour, neuron.incentive, neuron.dividend_per_stake, neuron.emission
        );
    }
    Ok(())
}
