//! Whose request it is (section 3.13): the peer, or what a proxy that is trusted says.

use actix_web::http::header::{HeaderMap, HeaderName};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// A range of addresses, such as `10.0.0.0/8`; one address is a range too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    base: u128,
    mask: u128,
    is_v4: bool,
}

/// The text is no range of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected an address or a range such as 10.0.0.0/8")]
pub struct NotANetwork;

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => {
                let is_number = length.bytes().all(|byte| byte.is_ascii_digit());
                let length = length.parse().ok().filter(|_: &u32| is_number);
                (address, Some(length.ok_or(NotANetwork)?))
            }
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_no_address| NotANetwork)?;
        let (bits, width) = bits(address);
        let length = length.unwrap_or(width);
        if length > width {
            return Err(NotANetwork);
        }
        let mask = u128::MAX.checked_shl(width - length).unwrap_or(0);
        Ok(Self {
            base: bits & mask,
            mask,
            is_v4: address.is_ipv4(),
        })
    }
}

impl Network {
    /// Returns whether an address is in the range.
    pub fn contains(&self, address: IpAddr) -> bool {
        let (bits, _) = bits(address);
        address.is_ipv4() == self.is_v4 && bits & self.mask == self.base
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = self.mask.count_ones();
        if self.is_v4 {
            let base = u32::try_from(self.base).unwrap_or_default();
            let length = length.saturating_sub(96);
            write!(f, "{}/{length}", Ipv4Addr::from(base))
        } else {
            write!(f, "{}/{length}", std::net::Ipv6Addr::from(self.base))
        }
    }
}

fn bits(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(four) => (u128::from(u32::from(four)), 32),
        IpAddr::V6(six) => (u128::from(six), 128),
    }
}

/// Returns the client's address: the first entry of `X-Forwarded-For` when the peer is a trusted proxy and the entry is an
/// address, else the peer.
pub fn client_address(peer: Option<IpAddr>, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    // A peer without an address is on the same machine.
    let peer = peer.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let peer = peer.to_canonical();
    if !trusted.iter().any(|network| network.contains(peer)) {
        return peer;
    }
    let first = headers.get(&FORWARDED_FOR).and_then(|value| {
        let value = value.to_str().ok()?;
        address(value.split(',').next()?.trim())
    });
    first.map_or(peer, |first| first.to_canonical())
}

/// Reads an address with or without brackets and port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let alone = bare.unwrap_or(text).parse().ok();
    alone.or_else(|| {
        text.parse()
            .ok()
            .map(|with_port: SocketAddr| with_port.ip())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    #[test]
    fn ranges_are_read_and_asked() {
        for (range, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("192.0.2.200/25", "192.0.2.128", "192.0.2.127"),
            ("0.0.0.0/0", "255.255.255.255", "::1"),
            ("::/0", "::1", "127.0.0.1"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::1"),
            ("::1", "::1", "::2"),
        ] {
            let network: Network = range.parse().unwrap();
            assert!(network.contains(inside.parse().unwrap()), "{range}");
            assert!(!network.contains(outside.parse().unwrap()), "{range}");
            let again: Network = network.to_string().parse().unwrap();
            assert_eq!(again, network, "{range} {network}");
        }
        for wrong in [
            "",
            "10",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "a/8",
            "1.2.3.4/-1",
        ] {
            assert_eq!(wrong.parse::<Network>(), Err(NotANetwork), "{wrong}");
        }
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        let cases = [
            ("192.0.2.1", Some("203.0.113.9"), "192.0.2.1"),
            ("10.0.0.1", None, "10.0.0.1"),
            ("10.0.0.1", Some("203.0.113.9"), "203.0.113.9"),
            ("::ffff:10.0.0.1", Some("203.0.113.9"), "203.0.113.9"),
            ("10.0.0.1", Some(" 203.0.113.9 , 10.0.0.7"), "203.0.113.9"),
            ("10.0.0.1", Some("203.0.113.9:4711"), "203.0.113.9"),
            ("10.0.0.1", Some("2001:db8::1"), "2001:db8::1"),
            ("10.0.0.1", Some("[2001:db8::1]"), "2001:db8::1"),
            ("10.0.0.1", Some("[2001:db8::1]:443"), "2001:db8::1"),
            ("10.0.0.1", Some("::ffff:203.0.113.9"), "203.0.113.9"),
            ("10.0.0.1", Some("unknown, 203.0.113.9"), "10.0.0.1"),
            ("10.0.0.1", Some(""), "10.0.0.1"),
        ];
        for (peer, forwarded, expected) in cases {
            let headers = forwarded.map(|value| (FORWARDED_FOR, HeaderValue::from_static(value)));
            let headers = HeaderMap::from_iter(headers);
            let found = client_address(Some(peer.parse().unwrap()), &headers, &trusted);
            assert_eq!(found.to_string(), expected, "{peer} {forwarded:?}");
        }
        assert!(client_address(None, &HeaderMap::new(), &trusted).is_loopback());
    }
}
