//! What the node shows over HTTP: liveness, readiness, metrics, members and states.

use crate::trail::Stamp;
use crate::view::{DeviceView, Links, Members, Readiness, Stamps, States};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use daemon::config::Secret;
use daemon::http::{self, ask};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

/// A question to the driver, with the way back.
pub(crate) enum Query {
    /// Is the node ready?
    Ready(oneshot::Sender<Readiness>),
    /// All metrics, as OpenMetrics text.
    Metrics(oneshot::Sender<String>),
    /// Who is in the group?
    Members(oneshot::Sender<Members>),
    /// All states.
    States(oneshot::Sender<States>),
    /// The states of one device.
    Device(String, oneshot::Sender<Option<DeviceView>>),
    /// The hops of one canary.
    Stamps(String, oneshot::Sender<Vec<Stamp>>),
    /// How are the links, and who is in reach?
    Links(oneshot::Sender<Links>),
    /// Send a ping to the group.
    Ping(oneshot::Sender<()>),
}

type Queries = mpsc::Sender<Query>;

/// Answers until the process ends.
pub(crate) async fn serve(listener: TcpListener, token: Option<Secret>, queries: Queries) {
    let guarded = Router::new()
        .route("/metrics", get(metrics))
        .route("/v1/members", get(members))
        .route("/v1/states", get(states))
        .route("/v1/states/{*device}", get(device))
        .route("/v1/stamps/{*device}", get(stamps))
        .route("/v1/links", get(links))
        .route("/v1/ping", post(ping));
    let open = Router::new().route("/healthz", get(|| async { "ok\n" })).route("/readyz", get(ready));
    http::serve(listener, open.merge(http::guard(guarded, token)).with_state(queries)).await;
}

async fn ready(State(queries): State<Queries>) -> Response {
    match ask(&queries, Query::Ready).await {
        Ok(readiness) if readiness.ready => Json(readiness).into_response(),
        Ok(readiness) => (StatusCode::SERVICE_UNAVAILABLE, Json(readiness)).into_response(),
        Err(status) => status.into_response(),
    }
}

async fn metrics(State(queries): State<Queries>, headers: HeaderMap) -> Result<Response, StatusCode> {
    Ok(daemon::metrics::answer(&headers, ask(&queries, Query::Metrics).await?))
}

async fn members(State(queries): State<Queries>) -> Result<Json<Members>, StatusCode> {
    ask(&queries, Query::Members).await.map(Json)
}

async fn states(State(queries): State<Queries>) -> Result<Json<States>, StatusCode> {
    ask(&queries, Query::States).await.map(Json)
}

async fn device(State(queries): State<Queries>, Path(device): Path<String>) -> Result<Response, StatusCode> {
    Ok(match ask(&queries, |reply| Query::Device(device, reply)).await? {
        Some(device) => Json(device).into_response(),
        None => (StatusCode::NOT_FOUND, "no server has a state for this device\n").into_response(),
    })
}

async fn stamps(
    State(queries): State<Queries>,
    Path(device): Path<String>,
) -> Result<Json<Stamps>, StatusCode> {
    let stamps = ask(&queries, |reply| Query::Stamps(device.clone(), reply)).await?;
    Ok(Json(Stamps { device, stamps }))
}

async fn links(State(queries): State<Queries>) -> Result<Json<Links>, StatusCode> {
    ask(&queries, Query::Links).await.map(Json)
}

async fn ping(State(queries): State<Queries>) -> Result<StatusCode, StatusCode> {
    ask(&queries, Query::Ping).await.map(|()| StatusCode::ACCEPTED)
}
