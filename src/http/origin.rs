//! Which pages may use the server from a browser.
//!
//! `/graphql` knows no cookie, so a foreign page cannot borrow a sign-in. What is refused here is refused all the
//! same: sockets, because they are not bound by the browser's same-origin rule, and links that read.

use std::net::IpAddr;

use axum::http::{HeaderMap, header};

use crate::config::{Config, Profile};

/// Whether a socket may be opened: by programs, which send no origin, by the server's own pages and by those that
/// are configured.
pub fn may_connect(config: &Config, headers: &HeaderMap) -> bool {
    match origin(headers) {
        None => !headers.contains_key(header::ORIGIN),
        Some(origin) => is_own(config, headers, origin) || is_allowed(config, origin),
    }
}

/// Whether a GET may be answered: not to another site, which a browser tells by `Sec-Fetch-Site`.
pub fn may_read(config: &Config, headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").and_then(|value| value.to_str().ok());
    match site {
        None | Some("same-origin" | "none") => true,
        Some(_) => origin(headers).is_some_and(|origin| is_allowed(config, origin)),
    }
}

fn origin(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::ORIGIN)?.to_str().ok()
}

fn is_allowed(config: &Config, origin: &str) -> bool {
    config.allowed_origins.iter().any(|allowed| allowed == "*" || allowed == origin)
}

/// The page came from this server: from the address that is configured; in development also from the one that the
/// request went to, unless that is a name that somebody else can give to this machine's address.
fn is_own(config: &Config, headers: &HeaderMap, origin: &str) -> bool {
    if config.public_url.trim_end_matches('/') == origin {
        return true;
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let page = origin.split_once("://").map(|(_, authority)| authority);
    config.profile == Profile::Development && page.is_some() && page == host && host.is_some_and(is_unnamed)
}

/// Whether the host is an address or this very machine, with or without a port.
fn is_unnamed(host: &str) -> bool {
    let port = host.rfind(':').filter(|at| host[at + 1..].bytes().all(|byte| byte.is_ascii_digit()));
    let name = &host[..port.unwrap_or(host.len())];
    let address = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
    name == "localhost" || address.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn config() -> Config {
        let settings = [
            ("PRAXIS_PUBLIC_URL".to_owned(), "https://praxis.example".to_owned()),
            ("PRAXIS_ALLOWED_ORIGINS".to_owned(), "https://app.example".to_owned()),
        ];
        Config::from_sources(None, settings.into_iter()).unwrap()
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn sockets_are_for_programs_own_pages_and_configured_ones() {
        for (pairs, may) in [
            (&[][..], true),
            (&[("origin", "https://praxis.example")], true),
            (&[("origin", "https://app.example")], true),
            (&[("origin", "http://127.0.0.1:8080"), ("host", "127.0.0.1:8080")], true),
            (&[("origin", "https://elsewhere.example"), ("host", "127.0.0.1:8080")], false),
            (&[("origin", "http://[::1]:8080"), ("host", "[::1]:8080")], true),
            (&[("origin", "http://[::1]"), ("host", "[::1]")], true),
            (&[("origin", "http://localhost:8080"), ("host", "localhost:8080")], true),
            (&[("origin", "http://localhost"), ("host", "localhost")], true),
            (&[("origin", "http://localhost:8080"), ("host", "localhost:9090")], false),
            // A name that its owner gave to this machine's address.
            (&[("origin", "http://elsewhere.example:8080"), ("host", "elsewhere.example:8080")], false),
            (
                &[("origin", "http://127.0.0.1.elsewhere.example"), ("host", "127.0.0.1.elsewhere.example")],
                false,
            ),
            (&[("origin", "null")], false),
            (&[("origin", "null"), ("host", "null")], false),
            (&[("origin", "https://praxis.example.elsewhere.example")], false),
        ] {
            assert_eq!(may_connect(&config(), &headers(pairs)), may, "{pairs:?}");
        }
    }

    #[test]
    fn in_production_only_configured_pages_open_sockets() {
        let production = Config { profile: Profile::Production, ..config() };
        for (pairs, may) in [
            (&[("origin", "https://praxis.example")][..], true),
            (&[("origin", "https://app.example")], true),
            (&[("origin", "http://127.0.0.1:8080"), ("host", "127.0.0.1:8080")], false),
        ] {
            assert_eq!(may_connect(&production, &headers(pairs)), may, "{pairs:?}");
        }
    }

    #[test]
    fn links_of_other_sites_read_nothing() {
        for (pairs, may) in [
            (&[][..], true),
            (&[("sec-fetch-site", "same-origin")], true),
            (&[("sec-fetch-site", "none")], true),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "cross-site")], false),
            (&[("sec-fetch-site", "cross-site"), ("origin", "https://elsewhere.example")], false),
            (&[("sec-fetch-site", "cross-site"), ("origin", "https://app.example")], true),
        ] {
            assert_eq!(may_read(&config(), &headers(pairs)), may, "{pairs:?}");
        }
    }
}
