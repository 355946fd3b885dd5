//! The pages as a scraper and a router see them.

use axum::body::{Body, to_bytes};
use axum::http::Request;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use tower::ServiceExt as _;

use super::*;

struct Fixed {
    ready: bool,
}

impl Pages for Fixed {
    fn metrics(&self) -> Result<String, fmt::Error> {
        Ok("# HELP a Things.\n# TYPE a counter\na_total 3\n# EOF\n".to_owned())
    }

    fn ready(&self) -> Result<(), &'static str> {
        if self.ready { Ok(()) } else { Err("loading") }
    }
}

async fn get(ready: bool, path: &str, accept: &str) -> (StatusCode, String, String) {
    let request = Request::get(path).header(ACCEPT, accept).body(Body::empty()).unwrap();
    let response = routes(Arc::new(Fixed { ready })).oneshot(request).await.unwrap();
    let (status, kind) = (response.status(), response.headers()[CONTENT_TYPE].to_str().unwrap().to_owned());
    let body = to_bytes(response.into_body(), 1_000).await.unwrap();
    (status, kind, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn a_scraper_gets_the_format_that_it_asks_for() {
    let (_, kind, text) = get(true, "/metrics", "application/openmetrics-text; version=1.0.0").await;
    assert!(kind.starts_with("application/openmetrics-text") && text.ends_with("# EOF\n"));
    let (_, kind, text) = get(true, "/metrics", "*/*").await;
    assert!(kind.starts_with("text/plain; version=0.0.4"));
    assert_eq!(text, "# HELP a_total Things.\n# TYPE a_total counter\na_total 3\n");
}

#[tokio::test]
async fn readiness_is_apart_from_liveness() {
    assert_eq!(get(false, "/livez", "*/*").await.0, StatusCode::OK);
    let (status, _, text) = get(false, "/readyz", "*/*").await;
    assert_eq!((status, text.as_str()), (StatusCode::SERVICE_UNAVAILABLE, "loading\n"));
    assert_eq!(get(true, "/readyz", "*/*").await.0, StatusCode::OK);
}
