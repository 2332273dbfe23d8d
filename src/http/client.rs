//! What a request says about itself: the client's address, the request's id, the trace it belongs to.
//!
//! Everybody can write headers. Those that proxies add are believed only of the proxies that the operator named.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName, header};

use super::network::Network;
use crate::config::ForwardedHeader;

pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: &str = "traceparent";
const FORWARDED_FOR: &str = "x-forwarded-for";
/// The longest request id that is taken over from a proxy.
const MAX_ID: usize = 64;

/// Which proxies are believed, and where they write the client's address.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    pub trusted: Vec<Network>,
    pub header: ForwardedHeader,
}

/// What the headers tell, as far as they are believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    pub ip: Option<IpAddr>,
    pub request_id: Option<Arc<str>>,
    pub trace_id: Option<Arc<str>>,
}

impl Proxies {
    /// What is to be believed of a request that `peer` sent.
    pub fn believe(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Told {
        let peer = peer.map(|ip| ip.to_canonical());
        match peer.filter(|peer| self.trusts(*peer)) {
            None => Told { ip: peer, ..Told::default() },
            Some(proxy) => Told {
                ip: Some(self.client(proxy, headers)),
                request_id: text(headers, &REQUEST_ID).filter(|id| is_id(id)).map(Into::into),
                trace_id: text(headers, TRACEPARENT).and_then(trace_id).map(Into::into),
            },
        }
    }

    fn trusts(&self, ip: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(ip))
    }

    /// Goes back from proxy to proxy, each having written whom it got the request from, to the first address that
    /// is no proxy of ours. Where something else is written, the last known address counts.
    fn client(&self, proxy: IpAddr, headers: &HeaderMap) -> IpAddr {
        let lines = |name: &str| -> Vec<&str> {
            headers.get_all(name).iter().map(|value| value.to_str().unwrap_or("?")).collect()
        };
        let hops: Vec<Option<IpAddr>> = match self.header {
            ForwardedHeader::XForwardedFor => {
                lines(FORWARDED_FOR).iter().flat_map(|line| line.split(',')).map(address).collect()
            }
            ForwardedHeader::Forwarded => {
                lines(header::FORWARDED.as_str()).iter().flat_map(|line| forwarded(line)).collect()
            }
        };
        let mut client = proxy;
        for hop in hops.into_iter().rev() {
            match hop {
                Some(ip) if self.trusts(client) => client = ip,
                _ => break,
            }
        }
        client
    }
}

fn text(headers: &HeaderMap, name: impl header::AsHeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn is_id(id: &str) -> bool {
    (1..=MAX_ID).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// An address, perhaps in brackets, perhaps with a port.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let ip = match text.strip_prefix('[') {
        Some(rest) => {
            let (ip, port) = rest.split_once(']')?;
            (port.is_empty() || is_port(port.strip_prefix(':')?)).then_some(ip)?
        }
        None => match text.split_once(':') {
            Some((ip, port)) if is_port(port) && ip.contains('.') => ip,
            _ => text,
        },
    };
    Some(ip.parse::<IpAddr>().ok()?.to_canonical())
}

fn is_port(text: &str) -> bool {
    (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The `for` of each hop in a line of `Forwarded`; `None` for a hop that names no address.
fn forwarded(line: &str) -> Vec<Option<IpAddr>> {
    quoted_split(line, ',')
        .into_iter()
        .map(|hop| {
            let mut named = quoted_split(hop, ';').into_iter().filter_map(|pair| {
                let (name, value) = pair.split_once('=')?;
                name.trim().eq_ignore_ascii_case("for").then_some(value.trim())
            });
            // Named twice, it is not clear who wrote which.
            let value = named.next().filter(|_| named.next().is_none())?;
            address(value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value))
        })
        .collect()
}

/// Splits where the separator is not within quotation marks. Counted from the end, which our proxy wrote: a single
/// mark that a client wrote in front of it swallows nothing.
fn quoted_split(text: &str, separator: char) -> Vec<&str> {
    let mut quoted = false;
    let mut parts: Vec<_> = text
        .rsplit(|letter| {
            quoted ^= letter == '"';
            letter == separator && !quoted
        })
        .collect();
    parts.reverse();
    parts
}

/// The trace's id in a W3C `traceparent`; `None` for one that is not well formed.
fn trace_id(text: &str) -> Option<&str> {
    let mut fields = text.split('-');
    let (version, trace, parent, flags) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    // The first version ends here; later ones may have more.
    let complete = version != "00" || fields.next().is_none();
    let valid = hex(version, 2) && version != "ff" && hex(trace, 32) && hex(parent, 16) && hex(flags, 2);
    let zero = |id: &str| id.bytes().all(|digit| digit == b'0');
    (complete && valid && !zero(trace) && !zero(parent)).then_some(trace)
}

fn hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

    fn proxies(header: ForwardedHeader) -> Proxies {
        Proxies { trusted: vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()], header }
    }

    fn ask(header: ForwardedHeader, peer: &str, sent: &[(&'static str, &str)]) -> Told {
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        proxies(header).believe(Some(peer.parse().unwrap()), &headers)
    }

    fn client(header: ForwardedHeader, peer: &str, sent: &[(&'static str, &str)]) -> String {
        ask(header, peer, sent).ip.unwrap().to_string()
    }

    #[test]
    fn a_stranger_is_not_believed() {
        let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
        let sent =
            [("x-forwarded-for", "192.0.2.1"), ("x-request-id", "mine"), ("traceparent", parent.as_str())];
        let told = ask(ForwardedHeader::XForwardedFor, "203.0.113.9", &sent);
        assert_eq!(told, Told { ip: Some("203.0.113.9".parse().unwrap()), ..Told::default() });
        let told = ask(ForwardedHeader::XForwardedFor, "10.0.0.1", &sent);
        assert_eq!(told.ip, Some("192.0.2.1".parse().unwrap()));
        assert_eq!((told.request_id.as_deref(), told.trace_id.as_deref()), (Some("mine"), Some(TRACE)));
    }

    #[test]
    fn the_client_is_the_last_address_that_is_no_proxy() {
        for (sent, ip) in [
            ("192.0.2.1", "192.0.2.1"),
            // What the client itself wrote stands first.
            ("198.51.100.7, 192.0.2.1", "192.0.2.1"),
            ("198.51.100.7, 192.0.2.1, 10.0.0.2", "192.0.2.1"),
            ("192.0.2.1:4711", "192.0.2.1"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("10.0.0.3, 10.0.0.2", "10.0.0.3"),
            ("", "10.0.0.1"),
            ("unknown", "10.0.0.1"),
            ("192.0.2.1, nonsense", "10.0.0.1"),
            ("192.0.2.1, nonsense, 10.0.0.2", "10.0.0.2"),
        ] {
            let sent = [("x-forwarded-for", sent)];
            assert_eq!(client(ForwardedHeader::XForwardedFor, "10.0.0.1", &sent), ip, "{sent:?}");
        }
        let two_lines = [("x-forwarded-for", "198.51.100.7"), ("x-forwarded-for", "192.0.2.1")];
        assert_eq!(client(ForwardedHeader::XForwardedFor, "10.0.0.1", &two_lines), "192.0.2.1");
    }

    #[test]
    fn the_standard_header_is_read_with_its_quotation_marks() {
        for (sent, ip) in [
            ("for=192.0.2.1", "192.0.2.1"),
            ("For=\"[2001:db8::1]:4711\";proto=https;by=10.0.0.1", "2001:db8::1"),
            ("for=198.51.100.7, for=192.0.2.1;host=\"a,b;for=1.1.1.1\"", "192.0.2.1"),
            ("for=_hidden", "10.0.0.1"),
            ("for=192.0.2.1;for=198.51.100.7", "10.0.0.1"),
            ("proto=https", "10.0.0.1"),
            ("for=\"192.0.2.1", "10.0.0.1"),
        ] {
            assert_eq!(client(ForwardedHeader::Forwarded, "10.0.0.1", &[("forwarded", sent)]), ip, "{sent}");
        }
    }

    #[test]
    fn only_the_configured_header_is_read() {
        let both = [("forwarded", "for=198.51.100.7"), ("x-forwarded-for", "192.0.2.1")];
        assert_eq!(client(ForwardedHeader::XForwardedFor, "10.0.0.1", &both), "192.0.2.1");
        assert_eq!(client(ForwardedHeader::Forwarded, "10.0.0.1", &both), "198.51.100.7");
    }

    #[test]
    fn a_trace_is_taken_over_only_when_it_is_well_formed() {
        let valid = format!("00-{TRACE}-00f067aa0ba902b7-01");
        assert_eq!(trace_id(&valid), Some(TRACE));
        assert_eq!(trace_id(&format!("cc-{TRACE}-00f067aa0ba902b7-01-what-comes")), Some(TRACE));
        for bad in [
            String::new(),
            format!("ff-{TRACE}-00f067aa0ba902b7-01"),
            format!("00-{TRACE}-00f067aa0ba902b7"),
            format!("00-{TRACE}-00f067aa0ba902b7-01-more"),
            format!("00-{TRACE}-0000000000000000-01"),
            format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            format!("00-{}-00f067aa0ba902b7-01", TRACE.to_uppercase()),
            format!("00-{}-00f067aa0ba902b7-01", &TRACE[1..]),
            format!("00-{TRACE}-00f067aa0ba902b7-0x"),
            format!(" {valid}"),
        ] {
            assert_eq!(trace_id(&bad), None, "{bad}");
        }
    }

    #[test]
    fn a_request_id_of_a_proxy_is_short_and_plain() {
        for (id, taken) in
            [("a-B_9.z", true), ("", false), ("a b", false), ("a\"b", false), (&"x".repeat(65), false)]
        {
            let told = ask(ForwardedHeader::XForwardedFor, "10.0.0.1", &[("x-request-id", id)]);
            assert_eq!(told.request_id.is_some(), taken, "{id}");
        }
    }

    proptest! {
        #[test]
        fn no_header_is_too_much(bytes in prop::collection::vec(32u8..=255, 0..200)) {
            let value = HeaderValue::from_bytes(&bytes).unwrap_or(HeaderValue::from_static(""));
            for header in [ForwardedHeader::XForwardedFor, ForwardedHeader::Forwarded] {
                let mut headers = HeaderMap::new();
                for name in ["x-forwarded-for", "forwarded", "traceparent", "x-request-id"] {
                    headers.insert(name, value.clone());
                }
                proxies(header).believe(Some("10.0.0.1".parse().unwrap()), &headers);
            }
        }

        #[test]
        fn what_a_client_writes_in_front_changes_nothing(
            forged in "[0-9a-z:=;.,\\[\\]\" ]{0,80}", client_ip: u32, real in any::<bool>(),
        ) {
            let ip = std::net::Ipv4Addr::from_bits(client_ip);
            prop_assume!(ip.octets()[0] != 10);
            let line = if real { format!("{forged}, {ip}") } else { format!("{forged},{ip}, 10.9.8.7") };
            let sent = [("x-forwarded-for", line.as_str())];
            prop_assert_eq!(client(ForwardedHeader::XForwardedFor, "10.0.0.1", &sent), ip.to_string());
            let line = format!("{forged}, for={ip};proto=https");
            let sent = [("forwarded", line.as_str())];
            prop_assert_eq!(client(ForwardedHeader::Forwarded, "10.0.0.1", &sent), ip.to_string());
        }

        #[test]
        fn every_well_formed_trace_is_taken_over(trace in "[0-9a-f]{32}", parent in "[0-9a-f]{16}", flags in "[0-9a-f]{2}") {
            prop_assume!(trace.bytes().any(|digit| digit != b'0') && parent.bytes().any(|digit| digit != b'0'));
            let header = format!("00-{trace}-{parent}-{flags}");
            prop_assert_eq!(trace_id(&header), Some(trace.as_str()));
        }
    }
}
