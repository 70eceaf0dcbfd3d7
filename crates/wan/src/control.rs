//! What can be asked and changed over HTTP while the relays run.

use crate::{Conditions, Shared};
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::Value;
use std::sync::Arc;

pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/metrics", get(metrics))
        .route("/v1/conditions", get(conditions).put(change))
        .route("/v1/cut", post(|state| async { set_cut(state, true) }))
        .route("/v1/heal", post(|state| async { set_cut(state, false) }))
        .route("/v1/rebind", post(rebind))
        .with_state(shared)
}

async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    match shared.metrics.page() {
        Ok(page) => ([(header::CONTENT_TYPE, kind)], page).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn conditions(State(shared): State<Arc<Shared>>) -> axum::Json<Conditions> {
    axum::Json(*shared.conditions.borrow())
}

/// The body is read as JSON whatever its type is said to be.
async fn change(State(shared): State<Arc<Shared>>, body: String) -> Response {
    let changed = serde_json::from_str::<Value>(&body)
        .map_err(|error| format!("the body is not JSON: {error}"))
        .and_then(|json| shared.conditions.borrow().changed(&json).map_err(|invalid| invalid.to_string()));
    match changed {
        Ok(changed) => {
            shared.conditions.send_replace(changed);
            tracing::info!(?changed, "changed");
            axum::Json(changed).into_response()
        }
        Err(said) => (StatusCode::BAD_REQUEST, format!("{said}\n")).into_response(),
    }
}

fn set_cut(State(shared): State<Arc<Shared>>, cut: bool) -> axum::Json<Conditions> {
    shared.conditions.send_modify(|conditions| conditions.cut = cut);
    tracing::info!(cut, "changed");
    axum::Json(*shared.conditions.borrow())
}

async fn rebind(State(shared): State<Arc<Shared>>) -> StatusCode {
    shared.rebinds.send_replace(());
    tracing::info!("clients of UDP get new ports");
    StatusCode::NO_CONTENT
}
