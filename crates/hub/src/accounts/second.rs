//! The second factor: codes of an authenticator (TOTP, RFC 6238), and codes for when it is lost.
//!
//! A code counts once: its step of 30 s must be later than the last one that was used. While the box's clock is unsure no code of
//! an authenticator can be judged; a recovery code can.

use qrcodegen::{QrCode, QrCodeEcc};
use serde::Serialize;
use totp_rs::{Builder, Secret};

use super::digest::{Digest, digest};
use crate::{HubError, flow::WallTime};

/// Bytes of a secret, as RFC 4226 recommends.
const BYTES: usize = 20;
/// Recovery codes of an account.
const CODES: usize = 10;
/// Letters of a recovery code, each of 5 bits; so many that its hash cannot be turned back.
const LETTERS: usize = 16;
/// Those of Crockford's base 32: none that are taken for each other.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The second factor of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Second {
    pub(super) secret: Vec<u8>,
    /// The last step that was used.
    pub(super) step: u64,
}

/// A secret on its way into an authenticator; shown once.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Offer {
    secret: String,
    uri: String,
    /// The QR code of `uri`: rows of "1" (dark) and "0".
    picture: Vec<String>,
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    bytes
}

/// Text of `letters` letters in groups of four that nobody can guess.
pub(super) fn code(letters: usize) -> String {
    let mut text = String::new();
    for at in 0..letters {
        if at > 0 && at % 4 == 0 {
            text.push('-');
        }
        let [byte] = random::<1>();
        text.push(char::from(ALPHABET[usize::from(byte % 32)]));
    }
    text
}

/// A code as it was meant: without gaps, in capitals, and with what looks alike as one.
pub(super) fn plain(code: &str) -> String {
    let letters = code.chars().filter(char::is_ascii_alphanumeric).take(64);
    letters
        .map(|letter| match letter.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            letter => letter,
        })
        .collect()
}

impl Second {
    /// A new one.
    pub(super) fn new() -> Self {
        Self {
            secret: random::<BYTES>().to_vec(),
            step: 0,
        }
    }

    /// What an authenticator needs to know.
    pub(super) fn offer(&self, account: &str) -> Result<Offer, HubError> {
        let secret = Secret::from(self.secret.clone()).to_base32();
        let uri = format!("otpauth://totp/Lares:{account}?secret={secret}&issuer=Lares");
        let code = QrCode::encode_text(&uri, QrCodeEcc::Medium)
            .map_err(|error| HubError::Password(error.to_string()))?;
        let row = |y| {
            (0..code.size())
                .map(|x| if code.get_module(x, y) { '1' } else { '0' })
                .collect()
        };
        Ok(Offer {
            picture: (0..code.size()).map(row).collect(),
            secret,
            uri,
        })
    }

    /// The step that `code` belongs to; none where it does not fit, or was used before.
    pub(super) fn step(&self, code: &str, now: WallTime) -> Option<u64> {
        let totp = Builder::new()
            .with_secret(self.secret.clone())
            .build()
            .ok()?;
        let seconds = u64::try_from(now.0 / 1000).ok()?;
        totp.check(code, seconds).filter(|step| *step > self.step)
    }

    /// The code of now, for tests.
    #[cfg(test)]
    pub(super) fn code(secret: &str, now: WallTime) -> String {
        let secret = Secret::try_from_base32(secret).unwrap();
        let totp = Builder::new().with_secret(secret).build().unwrap();
        totp.generate(now.0.cast_unsigned() / 1000).to_string()
    }
}

/// Recovery codes, and how they are kept.
pub(super) fn recovery() -> (Vec<String>, Vec<Digest>) {
    let codes: Vec<String> = (0..CODES).map(|_| code(LETTERS)).collect();
    let kept = codes.iter().map(|code| digest(&plain(code))).collect();
    (codes, kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_counts_once_and_in_its_time() {
        // The secret and a time of RFC 6238, appendix B, with six of its eight digits.
        let mut second = Second {
            secret: b"12345678901234567890".to_vec(),
            step: 0,
        };
        let at = WallTime(1_111_111_109_000);
        assert_eq!(second.step("081804", at), Some(37_037_036));
        assert_eq!(second.step("081805", at), None);
        assert_eq!(second.step("081804", WallTime(at.0 + 90_000)), None);
        second.step = 37_037_036;
        assert_eq!(second.step("081804", at), None);
        for nonsense in ["", "81804", "0818040", "abcdef", "٠٨١٨٠٤"] {
            assert_eq!(second.step(nonsense, at), None, "{nonsense}");
        }
        assert_eq!(second.step("081804", WallTime(-1)), None);
    }

    #[test]
    fn codes_are_long_and_read_as_people_write_them() {
        let (codes, kept) = recovery();
        assert_eq!((codes.len(), kept.len()), (CODES, CODES));
        assert_eq!(codes[0].len(), LETTERS + 3);
        let sloppy = codes[0]
            .to_lowercase()
            .replace('0', "o")
            .replace('1', "l")
            .replace('-', " ");
        assert_eq!(digest(&plain(&sloppy)), kept[0]);
        let offer = Second::new().offer("anna").unwrap();
        assert!(offer.uri.contains("Lares:anna?secret=") && offer.secret.len() == 32);
        assert!(offer.picture.len() > 20 && offer.picture[0].starts_with("1111111"));
    }
}
