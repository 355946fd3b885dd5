//! `/v1/models`: the one model, with what a router wants to know about it.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::App;
use super::error::ApiError;
use crate::core::request::Refusal;

pub(super) async fn list(State(app): State<Arc<App>>) -> Json<Value> {
    Json(json!({"object": "list", "data": [describe(&app)]}))
}

pub(super) async fn one(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    if id == app.limits.model {
        Ok(Json(describe(&app)))
    } else {
        Err(Refusal::no_model(&id, &app.limits.model).into())
    }
}

fn describe(app: &App) -> Value {
    json!({
        "id": app.limits.model,
        "object": "model",
        "created": app.started,
        "owned_by": "acumen",
        "tokenizer": "bytes",
        "context_length": app.limits.max_prompt_bytes,
        "max_output_length": app.limits.max_tokens,
        "is_ready": !app.collective.roster().miners.is_empty(),
    })
}
