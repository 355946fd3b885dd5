//! What command lines mean.

use super::*;

fn parse_words(line: &str) -> Parsed {
    let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    parse(&args)
}

fn localnet(args: &[&str]) -> Parsed {
    Parsed::Run(Command::Localnet(args.iter().map(|&arg| arg.to_owned()).collect()))
}

#[test]
fn localnet_passes_every_argument_on() {
    assert_eq!(parse_words("localnet"), localnet(&[]));
    assert_eq!(parse_words("localnet --epochs 5 --json"), localnet(&["--epochs", "5", "--json"]));
    assert_eq!(parse_words("localnet -- --help"), localnet(&["--help"]));
}

#[test]
fn only_a_leading_separator_is_dropped() {
    assert_eq!(parse_words("localnet --dir x -- y"), localnet(&["--dir", "x", "--", "y"]));
}

#[test]
fn options_are_read() {
    assert_eq!(
        parse_words("setup --keep-wheels --verify"),
        Parsed::Run(Command::Setup(SetupOptions { keep_wheels: true, verify: true }))
    );
    assert_eq!(parse_words("test --fast"), Parsed::Run(Command::Test(TestOptions { fast: true })));
    assert_eq!(parse_words("layers"), Parsed::Run(Command::Layers));
    assert_eq!(parse_words("smollm2"), Parsed::Run(Command::Smollm2));
}

#[test]
fn help_wins_over_running() {
    for line in ["--help", "setup --help", "localnet --help", "test -h", "layers --help", "smollm2 -h"] {
        assert!(matches!(parse_words(line), Parsed::Help(_)), "{line}");
    }
}

#[test]
fn unknown_words_are_usage_errors_that_name_the_word() {
    for (line, word) in [
        ("", "no command"),
        ("tets", "`tets`"),
        ("test --quick", "`--quick`"),
        ("layers x", "`x`"),
        ("smollm2 x", "`x`"),
    ] {
        match parse_words(line) {
            Parsed::Usage(problem) => assert!(problem.contains(word), "{line}: {problem}"),
            other => panic!("{line}: {other:?}"),
        }
    }
}
