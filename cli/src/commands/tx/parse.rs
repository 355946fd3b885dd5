//! Reading arguments, strictly.

use acumen_protocol::weights::Weights;
use acumen_protocol::{AccountId, Nacu, Uid};

/// `uid:weight` pairs.
pub(super) fn weights(text: &str) -> Result<Weights, String> {
    let pair = |pair: &str| {
        let (uid, weight) = pair.split_once(':')?;
        Some((Uid::new(uid.trim().parse().ok()?), weight.trim().parse().ok()?))
    };
    let entries: Option<Vec<(Uid, u16)>> = text.split(',').map(pair).collect();
    let entries = entries.ok_or("write uid:weight pairs: 0:100,3:50 (weights 0 to 65535)")?;
    Weights::new(entries).map_err(|error| error.to_string())
}

/// A percentage with its sign and at most three decimals, as a share of 65,535, rounded to the nearest. The sign is
/// asked for because `0.1` would be a tenth to one and a thousandth to another.
pub(super) fn percentage(text: &str) -> Result<u16, String> {
    let wrong = || "write a percentage with its sign, from 0% to 100%: 9.5%".to_owned();
    let digits = text.trim().strip_suffix('%').map(str::trim).ok_or_else(wrong)?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !plain(whole) || !plain(fraction) || fraction.len() > 3 || whole.len() > 3 {
        return Err(wrong());
    }
    // Thousandths of a percent: 100,000 is everything.
    let thousandths: u32 = format!("{whole}{fraction:0<3}").parse().map_err(|_| wrong())?;
    let share = (u64::from(thousandths) * u64::from(u16::MAX) + 50_000) / 100_000;
    u16::try_from(share).ok().filter(|_| thousandths <= 100_000).ok_or_else(wrong)
}

/// `yes` or `no`.
pub(super) fn yes_or_no(text: &str) -> Result<bool, String> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err("write yes or no".to_owned()),
    }
}

/// `ADDRESS=AMOUNT`.
pub(super) fn payment(text: &str) -> Result<(AccountId, Nacu), String> {
    let (to, amount) = text.split_once('=').ok_or("write ADDRESS=AMOUNT")?;
    let to = to.trim().parse::<AccountId>().map_err(|error| error.to_string())?;
    Ok((to, amount.parse::<Nacu>().map_err(|error| error.to_string())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_read_strictly() {
        assert_eq!(weights("0:1,3:2").unwrap().entries().len(), 2);
        for text in ["", "0", "0:1,0:2", "3:1,0:1", "0:65536", "0:-1", "a:1"] {
            assert!(weights(text).is_err(), "{text}");
        }
    }

    #[test]
    fn percentages_need_their_sign() {
        for (text, share) in [("18%", 11_796), ("0%", 0), ("100%", 65_535), ("9.5 %", 6_226), ("0.001%", 1)] {
            assert_eq!(percentage(text), Ok(share), "{text}");
        }
        for text in ["18", "0.18", "-1%", "100.1%", "1e1%", "%", ".5%", "5.%", "NaN%", "1.2345%", "+5%"] {
            assert!(percentage(text).is_err(), "{text}");
        }
    }

    #[test]
    fn answers_and_payments_are_read_strictly() {
        assert_eq!((yes_or_no("yes"), yes_or_no("no")), (Ok(true), Ok(false)));
        assert!(yes_or_no("Yes").is_err() && yes_or_no("1").is_err());
        let alice = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
        assert_eq!(payment(&format!("{alice}=1.5")).unwrap().1, Nacu::new(1_500_000_000));
        for text in [alice, "x=1", &format!("{alice}=-1"), &format!("{alice}=")] {
            assert!(payment(text).is_err(), "{text}");
        }
    }
}
