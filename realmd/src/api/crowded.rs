//! What is served where too many wait for answers already: all that is answered at once.

use axum::{
    Router,
    extract::Request,
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use realm_client::{
    api::{Problem, routes},
    catalogue::Code,
};

use super::Fail;

/// Routes whose answers take as long as a call, or as whoever asks likes.
const LASTING: [&str; 4] = [
    routes::INVOKE,
    routes::BROADCASTS,
    routes::RUN_EVENTS,
    routes::ATTACH,
];

/// The same routes without those whose answers take long.
pub(crate) fn at_once(router: Router) -> Router {
    router.layer(axum::middleware::from_fn(turn_away))
}

async fn turn_away(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if !LASTING.iter().any(|template| is_of(path, template)) {
        return next.run(request).await;
    }
    let problem = Problem::new(
        Code::Overloaded,
        "too many wait for answers of this daemon already",
    );
    Fail::from(problem.with_hint("realmctl run ls --status running")).into_response()
}

/// Whether a path is one of a template's, where at most the id of a run is open.
fn is_of(path: &str, template: &str) -> bool {
    match template.split_once("{id}") {
        Some((start, end)) => path.starts_with(start) && path.ends_with(end),
        None => path == template,
    }
}
