//! How secrets are stored: as a digest. They are long and random, so a plain digest is enough.

use sha2::{Digest, Sha256};
use std::fmt::Write;

const PREFIX: &str = "sha256:";

/// Returns how a secret is stored and exported: `sha256:` and 64 hexadecimal digits. A text that already has this form is
/// returned as it is, so that an export can be applied again; what a client presents goes to [`of_presented`] instead.
pub fn fingerprint(secret: &str) -> String {
    if is_fingerprint(secret) {
        secret.to_owned()
    } else {
        of_presented(secret)
    }
}

/// Returns the fingerprint of what a client presents as its secret. Never takes a fingerprint for itself: whoever read
/// an export would be let in with it.
pub fn of_presented(secret: &str) -> String {
    let digest = Sha256::digest(secret.as_bytes());
    let mut text = String::with_capacity(PREFIX.len() + 2 * digest.len());
    text.push_str(PREFIX);
    for byte in digest {
        // Writing to a string cannot fail.
        let _never = write!(text, "{byte:02x}");
    }
    text
}

fn is_fingerprint(text: &str) -> bool {
    let hexadecimal = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.strip_prefix(PREFIX)
        .is_some_and(|digits| digits.len() == 64 && digits.bytes().all(hexadecimal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_kept_by_one_and_hashed_by_the_other() {
        let known = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(fingerprint("abc"), known);
        assert_eq!(fingerprint(known), known);
        assert_eq!(of_presented("abc"), known);
        assert_ne!(of_presented(known), known);
        for almost in [
            &known[1..],
            &known[..70],
            &known.to_uppercase(),
            &known.replace('b', "g"),
        ] {
            assert_ne!(fingerprint(almost), *almost);
        }
    }
}
