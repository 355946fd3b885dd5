//! A network, a tree of processes and mounts that belong to one test and end with it, whatever becomes of it: a test
//! that needs them starts itself again in namespaces of its own. It needs no rights, only a kernel that lets users make
//! namespaces; where it does not, the test says so and is skipped.

use std::process::Command;

/// Set inside.
const INSIDE: &str = "ACUMEN_SANDBOX";

/// Namespaces of users, networks, mounts and processes. With the last one, everything in it is killed.
const NAMESPACES: [&str; 9] = [
    "--user",
    "--map-root-user",
    "--net",
    "--mount",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
    "--propagation=private",
];

/// What comes first inside: a place for named networks.
const FIRST: &str = "mount -t tmpfs none /run && mkdir /run/netns && ip link set lo up && exec \"$@\"";

/// True inside. Outside, runs the test named `test` of this binary inside and passes on what it says.
#[track_caller]
pub(crate) fn inside(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let unshare = |words: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(NAMESPACES).args(["sh", "-c", FIRST, "sh"]).args(words).env(INSIDE, "1");
        command.output()
    };
    let refused = match unshare(&["true"]) {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Some(format!("unshare: {error}")),
    };
    if let Some(reason) = refused {
        println!("skipped {test}: no namespaces can be made here: {reason}");
        return false;
    }
    let itself = std::env::current_exe().unwrap();
    let output = unshare(&[itself.to_str().unwrap(), "--exact", test, "--nocapture"]).unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    print!("{said}");
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{test} failed inside: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    false
}

/// Runs a command that must succeed.
#[track_caller]
pub(crate) fn must(command: &str) {
    let words: Vec<&str> = command.split_whitespace().collect();
    let output = Command::new(words[0]).args(&words[1..]).output().unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
}
