//! acumen-simulations
