//! Networks of addresses, written `10.0.0.0/8` or, for one address, `::1`.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// All addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u32,
}

/// A text that is not a network.
#[derive(Debug, thiserror::Error)]
#[error("\"{0}\" is not a network such as 10.0.0.0/8 or 2001:db8::/32")]
pub struct NotANetwork(String);

impl Network {
    pub fn contains(&self, ip: IpAddr) -> bool {
        match (self.address, ip.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(ip)) => {
                shared(u128::from(network.to_bits() ^ ip.to_bits()), 32) >= self.prefix
            }
            (IpAddr::V6(network), IpAddr::V6(ip)) => {
                shared(network.to_bits() ^ ip.to_bits(), 128) >= self.prefix
            }
            _ => false,
        }
    }
}

/// How many of the first bits are the same.
fn shared(difference: u128, width: u32) -> u32 {
    difference.leading_zeros() + width - u128::BITS
}

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let wrong = || NotANetwork(text.into());
        let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => width,
            Some(digits) if digits.len() <= 3 && digits.bytes().all(|digit| digit.is_ascii_digit()) => {
                digits.parse().ok().filter(|prefix| *prefix <= width).ok_or_else(wrong)?
            }
            Some(_) => return Err(wrong()),
        };
        // Written through IPv6, it is the IPv4 network that the client's address is compared with.
        match address.to_canonical() {
            IpAddr::V4(v4) if width == 128 && prefix >= 96 => {
                Ok(Self { address: v4.into(), prefix: prefix - 96 })
            }
            _ => Ok(Self { address, prefix }),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    fn contains(network: &str, ip: &str) -> bool {
        network.parse::<Network>().unwrap().contains(ip.parse().unwrap())
    }

    #[test]
    fn a_network_contains_what_begins_like_it() {
        for (network, ip, inside) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.1.2.3/8", "10.255.0.1", true),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.6", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "2001:db8::1", true),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("127.0.0.0/8", "::ffff:127.0.0.1", true),
            ("::ffff:127.0.0.0/104", "127.0.0.1", true),
        ] {
            assert_eq!(contains(network, ip), inside, "{network} {ip}");
        }
    }

    #[test]
    fn what_is_not_a_network_is_refused() {
        for text in
            ["", "/", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/-1", "10.0.0.0/+8", "a/8"]
        {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_much(text in "\\PC{0,60}") {
            let _ = text.parse::<Network>();
        }

        #[test]
        fn a_network_is_written_as_it_is_read_and_agrees_with_the_bits(
            network: u32, ip: u32, prefix in 0u32..=32, wide: u128, other: u128, long in 0u32..=128,
        ) {
            let v4: Network = format!("{}/{prefix}", Ipv4Addr::from_bits(network)).parse().unwrap();
            prop_assert_eq!(v4.to_string().parse::<Network>().unwrap(), v4);
            let same = (network ^ ip).checked_shr(32 - prefix).unwrap_or(0) == 0;
            prop_assert_eq!(v4.contains(Ipv4Addr::from_bits(ip).into()), same);

            let v6: Network = format!("{}/{long}", Ipv6Addr::from_bits(wide)).parse().unwrap();
            let (one, two) = (Ipv6Addr::from_bits(wide), Ipv6Addr::from_bits(other));
            if one.to_ipv4_mapped().is_none() && two.to_ipv4_mapped().is_none() {
                let same = (wide ^ other).checked_shr(128 - long).unwrap_or(0) == 0;
                prop_assert_eq!(v6.contains(two.into()), same);
            }
        }
    }
}
