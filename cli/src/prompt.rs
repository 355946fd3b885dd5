//! Secrets from a person: the environment first, then a prompt without echo.

use anyhow::{Context as _, Result, bail};
use zeroize::Zeroizing;

/// Holds the password of encrypted keyfiles for unattended use.
pub(crate) const PASSWORD_VARIABLE: &str = "ACUMEN_WALLET_PASSWORD";

/// The password that opens a keyfile.
pub(crate) fn password(of: &str) -> Result<Zeroizing<String>> {
    if let Some(password) = from_environment() {
        return Ok(password);
    }
    let prompt = format!("Password of {of}: ");
    let typed = rpassword::prompt_password(prompt)
        .with_context(|| format!("no terminal to ask for a password: set {PASSWORD_VARIABLE}"))?;
    Ok(typed.into())
}

/// A new password, typed twice.
pub(crate) fn new_password(of: &str) -> Result<Zeroizing<String>> {
    if let Some(password) = from_environment() {
        return checked(password);
    }
    let first = password(&format!("{of} (new)"))?;
    let again = Zeroizing::new(rpassword::prompt_password("Once more: ")?);
    if first != again {
        bail!("the two passwords differ: nothing was written");
    }
    checked(first)
}

fn checked(password: Zeroizing<String>) -> Result<Zeroizing<String>> {
    if password.is_empty() {
        bail!("the password is empty: choose one, or say --no-password");
    }
    Ok(password)
}

/// A phrase, seed or the like, without echo.
pub(crate) fn secret(what: &str) -> Result<Zeroizing<String>> {
    let typed = rpassword::prompt_password(format!("{what}: "))
        .with_context(|| format!("no terminal to ask for the {what}: give it as an option"))?;
    Ok(typed.into())
}

fn from_environment() -> Option<Zeroizing<String>> {
    std::env::var(PASSWORD_VARIABLE).ok().map(Zeroizing::new)
}
