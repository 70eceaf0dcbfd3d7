//! What the exporter shows over HTTP: metrics, health, figures as JSON, and one page for people.

use crate::view::{Json, Readiness};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use daemon::config::Secret;
use daemon::http::{self, ask};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

const PAGE: &str = include_str!("page.html");
/// The page is whole: it may load nothing from anywhere and talk to its own exporter only.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
                           connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A question to the driver, with the way back.
pub(crate) enum Query {
    /// Was every source asked?
    Ready(oneshot::Sender<Readiness>),
    /// All metrics, as OpenMetrics text.
    Metrics(oneshot::Sender<String>),
    /// Which devices differ?
    Disagreements(oneshot::Sender<Json>),
    /// How long do states take?
    Propagation(oneshot::Sender<Json>),
    /// Who is watched?
    Sources(oneshot::Sender<Json>),
}

type Queries = mpsc::Sender<Query>;

/// Answers until the process ends.
pub(crate) async fn serve(listener: TcpListener, token: Option<Secret>, queries: Queries) {
    let guarded = Router::new()
        .route("/metrics", get(metrics))
        .route("/v1/disagreements", get(disagreements))
        .route("/v1/propagation", get(propagation))
        .route("/v1/sources", get(sources));
    let open = Router::new()
        .route("/", get(page))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready));
    http::serve(listener, open.merge(http::guard(guarded, token)).with_state(queries)).await;
}

async fn page() -> Response {
    let headers =
        [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CONTENT_SECURITY_POLICY, PAGE_POLICY)];
    (headers, PAGE).into_response()
}

async fn ready(State(queries): State<Queries>) -> Response {
    match ask(&queries, Query::Ready).await {
        Ok(Readiness { ready: true, body }) => axum::Json(body).into_response(),
        Ok(Readiness { ready: false, body }) => {
            (StatusCode::SERVICE_UNAVAILABLE, axum::Json(body)).into_response()
        }
        Err(status) => status.into_response(),
    }
}

async fn metrics(State(queries): State<Queries>, headers: HeaderMap) -> Result<Response, StatusCode> {
    Ok(daemon::metrics::answer(&headers, ask(&queries, Query::Metrics).await?))
}

async fn disagreements(State(queries): State<Queries>) -> Result<axum::Json<Json>, StatusCode> {
    ask(&queries, Query::Disagreements).await.map(axum::Json)
}

async fn propagation(State(queries): State<Queries>) -> Result<axum::Json<Json>, StatusCode> {
    ask(&queries, Query::Propagation).await.map(axum::Json)
}

async fn sources(State(queries): State<Queries>) -> Result<axum::Json<Json>, StatusCode> {
    ask(&queries, Query::Sources).await.map(axum::Json)
}
