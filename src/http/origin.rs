//! Which pages may use the server from a browser.
//!
//! `/graphql` knows no cookie, so a foreign page cannot borrow a sign-in. What is refused here is refused all the
//! same: sockets, because they are not bound by the browser's same-origin rule, and links that read.

use axum::http::{HeaderMap, header};

use crate::config::Config;

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

/// The page came from this server: by the address that is configured, or the one that the request went to.
fn is_own(config: &Config, headers: &HeaderMap, origin: &str) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let of_request = origin.split_once("://").map(|(_, authority)| authority);
    config.public_url.trim_end_matches('/') == origin || (of_request.is_some() && of_request == host)
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
            (&[("origin", "null")], false),
            (&[("origin", "https://praxis.example.elsewhere.example")], false),
        ] {
            assert_eq!(may_connect(&config(), &headers(pairs)), may, "{pairs:?}");
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
