//! `acumen keys`: wallets in Bittensor's format.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use acumen_protocol::domain::Domain;
use acumen_protocol::keyfile::StoredKey;
use acumen_protocol::keys::phrase_from_entropy;
use acumen_protocol::{AccountId, Signature};
use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand};
use serde_json::json;

use crate::wallet::{Role, Wallet, WalletOptions, names_in};
use crate::{output, prompt};

/// Key commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a coldkey and a hotkey. Example: acumen keys new --wallet.name alice
    New(NewArgs),
    /// Bring a key from a phrase, a seed or a keyfile. Example: acumen keys import --as hotkey --seed 0x…
    Import(ImportArgs),
    /// List wallets and their hotkeys. Example: acumen keys list --json
    List(ListArgs),
    /// Print the addresses of a wallet. Example: acumen keys show --wallet.name alice --json
    Show(ShowArgs),
    /// Sign a message. Example: acumen keys sign --message hello --key hotkey
    Sign(SignArgs),
    /// Check a signature; exit code 0 if it is good, 1 if not.
    /// Example: acumen keys verify --address 5… --message hello --signature 0x…
    Verify(VerifyArgs),
}

#[derive(Args, Debug)]
pub(crate) struct NewArgs {
    #[command(flatten)]
    wallet: WalletOptions,
    /// Make this key alone
    #[arg(long, value_enum)]
    only: Option<Role>,
    /// Leave the coldkey unencrypted
    #[arg(long)]
    no_password: bool,
    /// Replace existing keys for good
    #[arg(long)]
    overwrite: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct ImportArgs {
    #[command(flatten)]
    wallet: WalletOptions,
    /// As which key to store it
    #[arg(long = "as", value_enum)]
    role: Role,
    /// BIP-39 phrase, with `//hard`, `/soft` and `///password` behind it if the key was derived so (asked for without
    /// echo if nothing is given)
    #[arg(long, conflicts_with_all = ["seed", "keyfile"])]
    phrase: Option<String>,
    /// 32-byte seed, 0x and 64 hex digits, with a path behind it if the key was derived so
    #[arg(long, conflicts_with = "keyfile")]
    seed: Option<String>,
    /// Another keyfile
    #[arg(long, value_name = "FILE")]
    keyfile: Option<PathBuf>,
    /// Leave a coldkey unencrypted
    #[arg(long)]
    no_password: bool,
    /// Replace an existing key for good
    #[arg(long)]
    overwrite: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    wallet: WalletOptions,
    /// Print one JSON object per wallet
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    wallet: WalletOptions,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct SignArgs {
    #[command(flatten)]
    wallet: WalletOptions,
    /// The message, signed as it is
    #[arg(long)]
    message: String,
    /// Which key signs
    #[arg(long, value_enum, default_value = "hotkey")]
    key: Role,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct VerifyArgs {
    /// Address of the claimed signer
    #[arg(long)]
    address: AccountId,
    /// The message
    #[arg(long)]
    message: String,
    /// The signature, 0x and 128 hex digits
    #[arg(long)]
    signature: Signature,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs a key command.
pub(crate) fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::New(args) => new(&args)?,
        Command::Import(args) => import(&args)?,
        Command::List(args) => list(&args)?,
        Command::Show(args) => show(&args.wallet.open()?, args.json)?,
        Command::Sign(args) => sign(&args)?,
        Command::Verify(args) => return verify(&args),
    }
    Ok(ExitCode::SUCCESS)
}

fn new(args: &NewArgs) -> Result<()> {
    let wallet = args.wallet.open()?;
    let roles = args.only.map_or_else(|| vec![Role::Coldkey, Role::Hotkey], |only| vec![only]);
    if let Some(taken) =
        roles.iter().map(|role| wallet.path(*role)).find(|path| path.exists() && !args.overwrite)
    {
        bail!("{} exists: nothing was written (say --overwrite to replace it for good)", taken.display());
    }
    for role in roles {
        let phrase = phrase_from_entropy(&rand::random())?;
        let key = StoredKey::from_phrase(&phrase)?;
        store(&wallet, role, &key, args.no_password, args.overwrite)?;
        // On stderr, so that the JSON of stdout holds no secret.
        let name = format!("{role:?}").to_lowercase();
        writeln!(
            std::io::stderr(),
            "new {name}; keep these words secret and safe, they restore it:\n  {phrase}"
        )?;
    }
    show(&wallet, args.json)
}

fn store(wallet: &Wallet, role: Role, key: &StoredKey, plain: bool, overwrite: bool) -> Result<()> {
    let encrypted = role == Role::Coldkey && !plain;
    let password = encrypted.then(|| prompt::new_password("the coldkey")).transpose()?;
    wallet.save(role, key, password.as_ref().map(|password| password.as_str()), overwrite)
}

fn import(args: &ImportArgs) -> Result<()> {
    let wallet = args.wallet.open()?;
    let key = imported(args)?;
    store(&wallet, args.role, &key, args.no_password, args.overwrite)?;
    let address = key.keypair().account().to_string();
    if args.json {
        output::json_line(&json!({ "address": address, "file": wallet.path(args.role) }))
    } else {
        output::line(format_args!("{address} is now at {}", wallet.path(args.role).display()))
    }
}

fn imported(args: &ImportArgs) -> Result<StoredKey> {
    if let Some(path) = &args.keyfile {
        let shown = path.display().to_string();
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {shown}"))?;
        let encrypted = acumen_protocol::keyfile::is_encrypted(&bytes);
        let password = encrypted.then(|| prompt::password(&shown)).transpose()?;
        return StoredKey::open(&bytes, password.as_ref().map(|password| password.as_str())).context(shown);
    }
    if let Some(seed) = &args.seed {
        let digits = seed.split('/').next().unwrap_or_default();
        let mut bytes = zeroize::Zeroizing::new([0; 32]);
        hex::decode_to_slice(digits.strip_prefix("0x").unwrap_or(digits), bytes.as_mut_slice())
            .map_err(|_| anyhow::anyhow!("the seed is not 0x and 64 hex digits"))?;
        let derived = seed
            .contains('/')
            .then(|| zeroize::Zeroizing::new(format!("0x{}", seed.trim_start_matches("0x"))));
        return match derived {
            Some(uri) => Ok(StoredKey::from_uri(&uri)?),
            None => Ok(StoredKey::from_seed(*bytes)),
        };
    }
    let phrase = match &args.phrase {
        Some(phrase) => phrase.clone().into(),
        None => prompt::secret("BIP-39 phrase")?,
    };
    Ok(StoredKey::from_uri(phrase.trim())?)
}

fn list(args: &ListArgs) -> Result<()> {
    let root = args.wallet.root()?;
    let names = names_in(&root)?;
    if names.is_empty() {
        writeln!(std::io::stderr(), "no wallets in {}: make one with `acumen keys new`", root.display())?;
    }
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or_default();
    for name in names {
        let options =
            WalletOptions { path: Some(root.clone()), name: name.clone(), ..WalletOptions::default() };
        let Ok(wallet) = options.open() else { continue };
        let coldkey = wallet.address(Role::Coldkey).ok().map(|address| address.to_string());
        let hotkeys = wallet.hotkeys()?;
        if args.json {
            output::json_line(&json!({ "name": name, "coldkey": coldkey, "hotkeys": hotkeys }))?;
        } else {
            let coldkey = coldkey.unwrap_or_else(|| "no coldkey".to_owned());
            output::line(format_args!("{name:width$}  {coldkey:48}  hotkeys: {}", hotkeys.join(", ")))?;
        }
    }
    Ok(())
}

fn show(wallet: &Wallet, json: bool) -> Result<()> {
    let coldkey = wallet.address(Role::Coldkey);
    let hotkey = wallet.address(Role::Hotkey);
    if let (Err(error), Err(_)) = (&coldkey, &hotkey) {
        bail!("{error:#}");
    }
    let text = |address: Result<AccountId>| address.ok().map(|address| address.to_string());
    let (coldkey, hotkey) = (text(coldkey), text(hotkey));
    if json {
        return output::json_line(&json!({ "coldkey": coldkey, "hotkey": hotkey }));
    }
    output::line(format_args!("coldkey {}", coldkey.as_deref().unwrap_or("none")))?;
    output::line(format_args!("hotkey  {}", hotkey.as_deref().unwrap_or("none")))
}

fn sign(args: &SignArgs) -> Result<()> {
    if Domain::claims(args.message.as_bytes()) {
        bail!(
            "this message is an Acumen transaction, vote or request in disguise: it is not signed as free text"
        );
    }
    let signature = args.wallet.open()?.keypair(args.key)?.sign(args.message.as_bytes());
    if args.json {
        output::json_line(&json!({ "signature": signature.to_string() }))
    } else {
        output::line(signature)
    }
}

fn verify(args: &VerifyArgs) -> Result<ExitCode> {
    // Wallets in browsers wrap what they sign; Bittensor's verify accepts that too.
    let wrapped = format!("<Bytes>{}</Bytes>", args.message);
    let good = [args.message.as_str(), &wrapped]
        .iter()
        .any(|message| args.signature.verify(message.as_bytes(), &args.address));
    if args.json {
        output::json_line(&json!({ "valid": good }))?;
    } else {
        output::line(if good { "good" } else { "bad: not this address over this message" })?;
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
