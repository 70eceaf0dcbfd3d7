//! Who may ask over HTTP, and how a question reaches the one task that knows the answer.

use crate::config::{Field, Found, Secret, Source, Table, values};
use anyhow::Context;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

/// Where a program answers, and to whom.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Http {
    /// An address of this host.
    pub listen: SocketAddr,
    /// What a client must show; always there when `listen` is not loopback.
    pub token: Option<Secret>,
}

impl Http {
    /// The fields of `[http]`.
    pub const FIELDS: &[&str] = &["listen", "token"];
    /// `[http] token`.
    pub const TOKEN: Field = Field::new("token", "...", Some("ASTERISM_HTTP_TOKEN"));

    /// Reads `[http]`, where `listen` is the field and its default; `None` if something in it is wrong, which is
    /// reported.
    pub fn read(source: &mut Source<'_>, root: &Table<'_>, listen: &Field) -> Option<Self> {
        let table = source.table(root, "http", Self::FIELDS);
        let address = table.or_default(source, listen);
        let address = source.read(address, |text| values::listen(text, listen.example));
        let written = table.secret_text(source, &Self::TOKEN);
        let is_written = written.is_some() || table.has(&Self::TOKEN);
        let token = source.read_secret(written);
        if let Some(Found { value, origin }) = &address
            && !value.ip().is_loopback()
            && !is_written
        {
            source.report(origin.problem(format_args!(
                "\"{value}\" is open to other hosts, but there is no token; write token = \"...\" into [http] or set \
                 ASTERISM_HTTP_TOKEN, or listen on 127.0.0.1"
            )));
        }
        Some(Self { listen: address?.value, token: token.map(|token| token.value) })
    }

    /// Opens the listener.
    ///
    /// # Errors
    /// The address is not this host's, or is taken.
    pub async fn bind(&self) -> anyhow::Result<TcpListener> {
        let listen = self.listen;
        TcpListener::bind(listen)
            .await
            .with_context(|| format!("[http] listen: cannot bind TCP {listen}; is another program using it?"))
    }
}

/// Answers until the process ends.
pub async fn serve(listener: TcpListener, router: Router) {
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!("HTTP ended: {error}");
    }
}

/// Closes these routes to whoever does not carry the token; without one configured (loopback only) they stay open.
pub fn guard<S>(routes: Router<S>, token: Option<Secret>) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    routes.layer(middleware::from_fn_with_state(token, authorize))
}

async fn authorize(State(token): State<Option<Secret>>, request: Request, next: Next) -> Response {
    match token {
        Some(token) if !carries(request.headers(), token.expose()) => {
            let hint = "this wants `Authorization: Bearer TOKEN`, with [http] token of the program's configuration\n";
            (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")], hint).into_response()
        }
        Some(_) | None => next.run(request).await,
    }
}

/// Compares in a time that does not tell how much of the token was right.
fn carries(headers: &HeaderMap, token: &str) -> bool {
    let given =
        headers.get(header::AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    given.is_some_and(|given| {
        let differences =
            given.iter().zip(token.as_bytes()).fold(0, |differences, (a, b)| differences | (a ^ b));
        given.len() == token.len() && differences == 0
    })
}

/// Asks the driver.
///
/// # Errors
/// `SERVICE_UNAVAILABLE`: the driver is gone, as the program is stopping.
pub async fn ask<Q, T>(
    queries: &mpsc::Sender<Q>,
    question: impl FnOnce(oneshot::Sender<T>) -> Q,
) -> Result<T, StatusCode> {
    let (reply, answer) = oneshot::channel();
    queries.send(question(reply)).await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    answer.await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_is_carried() {
        let given =
            |text: &'static str| HeaderMap::from_iter([(header::AUTHORIZATION, text.parse().unwrap())]);
        assert!(carries(&given("Bearer t0ken"), "t0ken"));
        for wrong in ["Bearer t0ke", "Bearer t0ken2", "Bearer t0keN", "Bearer ", "t0ken", "Basic t0ken"] {
            assert!(!carries(&given(wrong), "t0ken"), "{wrong}");
        }
        assert!(!carries(&HeaderMap::new(), "t0ken"));
    }

    #[tokio::test]
    async fn a_question_without_a_driver_is_answered() {
        let (queries, asked) = mpsc::channel::<oneshot::Sender<()>>(1);
        drop(asked);
        assert_eq!(ask(&queries, |reply| reply).await, Err(StatusCode::SERVICE_UNAVAILABLE));
        let (queries, mut asked) = mpsc::channel::<oneshot::Sender<()>>(1);
        let (answer, ()) = tokio::join!(ask(&queries, |reply| reply), async {
            drop(asked.recv().await);
        });
        assert_eq!(answer, Err(StatusCode::SERVICE_UNAVAILABLE));
    }
}
