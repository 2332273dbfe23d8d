//! GraphiQL, built from `web/` and carried inside the binary: the page works offline and loads nothing from
//! another origin.

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

/// One file of the built page; `path` is relative to `/graphiql/`.
struct Asset {
    path: &'static str,
    content_type: &'static str,
    bytes: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/graphiql_assets.rs"));

/// The editor writes its styles inline; its workers start from files, or from a blob where a browser insists.
/// `connect-src 'self'` covers the WebSocket of the same host.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";

const NOT_BUILT: &str = r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Praxis: GraphiQL is not built</title>
<body style="font: 16px/1.5 system-ui, sans-serif; max-width: 40em; margin: 4em auto; padding: 0 1em">
<h1>GraphiQL is not part of this build</h1>
<p>With Node 20.19 or newer, run <code>web/build</code> in the source directory, then build Praxis again.</p>
<p>The API itself is at <code>/graphql</code>.</p>
"#;

/// `/graphiql` and the files that it loads.
pub fn routes() -> Router {
    serve(ASSETS)
}

fn serve(assets: &'static [Asset]) -> Router {
    let page = move || async move { page(assets) };
    Router::new().route("/graphiql", get(page)).route("/graphiql/", get(page)).route(
        "/graphiql/assets/{*path}",
        get(move |Path(path): Path<String>| async move { asset(assets, &path) }),
    )
}

fn page(assets: &[Asset]) -> Response {
    const NO_STORE: (HeaderName, &str) = (header::CACHE_CONTROL, "no-store");
    match assets.iter().find(|asset| asset.path == "index.html") {
        Some(page) => (guarded(page.content_type), [NO_STORE], page.bytes).into_response(),
        None => (StatusCode::NOT_FOUND, guarded("text/html; charset=utf-8"), [NO_STORE], NOT_BUILT)
            .into_response(),
    }
}

fn asset(assets: &[Asset], path: &str) -> Response {
    match assets.iter().find(|asset| asset.path.strip_prefix("assets/") == Some(path)) {
        // The name holds a hash of the content, so what is cached under it never changes.
        Some(asset) => {
            let forever = [(header::CACHE_CONTROL, "public, max-age=31536000, immutable")];
            (guarded(asset.content_type), forever, asset.bytes).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// The files carry the policy as well: a worker obeys the one that its own script came with.
fn guarded(content_type: &'static str) -> [(HeaderName, &'static str); 4] {
    [
        (header::CONTENT_TYPE, content_type),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ]
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use tower::ServiceExt;

    use super::*;

    static BUILT: &[Asset] = &[
        Asset { path: "assets/main-0a1b.js", content_type: "text/javascript", bytes: b"boot()" },
        Asset { path: "index.html", content_type: "text/html", bytes: b"<div id=root>" },
    ];

    async fn get(assets: &'static [Asset], path: &str) -> (StatusCode, axum::http::HeaderMap, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let (head, body) = serve(assets).oneshot(request).await.unwrap().into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        (head.status, head.headers, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn the_page_is_never_cached_and_runs_only_scripts_of_its_own_origin() {
        for path in ["/graphiql", "/graphiql/"] {
            let (status, headers, body) = get(BUILT, path).await;
            assert_eq!((status, body.as_str()), (StatusCode::OK, "<div id=root>"));
            assert_eq!(headers[header::CONTENT_TYPE], "text/html");
            assert_eq!(headers[header::CACHE_CONTROL], "no-store");
            assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
            let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
            assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
            assert!(!policy.contains("  "), "{policy}");
        }
    }

    #[tokio::test]
    async fn files_with_a_hash_in_their_name_are_cached_for_ever() {
        let (status, headers, body) = get(BUILT, "/graphiql/assets/main-0a1b.js").await;
        assert_eq!((status, body.as_str()), (StatusCode::OK, "boot()"));
        assert_eq!(headers[header::CONTENT_TYPE], "text/javascript");
        assert_eq!(headers[header::CACHE_CONTROL], "public, max-age=31536000, immutable");
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert!(headers.contains_key(header::CONTENT_SECURITY_POLICY));
    }

    #[tokio::test]
    async fn only_files_of_the_page_are_served() {
        for path in
            ["main-0a1b.css", "index.html", "../index.html", "%2e%2e/index.html", "assets/main-0a1b.js"]
        {
            let (status, headers, body) = get(BUILT, &format!("/graphiql/assets/{path}")).await;
            assert_eq!((status, body.as_str()), (StatusCode::NOT_FOUND, ""), "{path}");
            assert!(!headers.contains_key(header::CACHE_CONTROL), "{path}");
        }
    }

    #[tokio::test]
    async fn without_the_built_page_the_answer_says_what_to_run() {
        let (status, headers, body) = get(&[], "/graphiql").await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert!(body.contains("web/build"));
        assert_eq!(headers[header::CACHE_CONTROL], "no-store");
        assert!(headers.contains_key(header::CONTENT_SECURITY_POLICY));
    }
}
