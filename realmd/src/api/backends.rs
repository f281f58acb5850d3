//! Model backends.

use realm_backends::Model;
use realm_client::{
    api::{BackendView, Page, Problem},
    catalogue::Code,
};
use realm_executor::MOCK;

use super::{Answer, Shared, extract::Segment, problem::Fail};
use crate::config::BackendConfig;

pub(super) async fn list(daemon: Shared) -> Answer<Page<BackendView>> {
    Ok(axum::Json(Page {
        items: views(&daemon),
        next: None,
    }))
}

pub(super) async fn show(daemon: Shared, Segment(id): Segment) -> Answer<BackendView> {
    let found = views(&daemon).into_iter().find(|backend| backend.id == id);
    let backend = found.ok_or_else(|| {
        let problem = Problem::new(Code::NotFound, format!("there is no backend `{id}`"));
        Fail::from(problem.with_hint("realmctl backend ls"))
    })?;
    Ok(axum::Json(backend))
}

fn views(daemon: &Shared) -> Vec<BackendView> {
    let (configured, models) = (daemon.config(), daemon.backends.models());
    let backends = configured.config.backends.iter();
    let backends = backends.map(|(id, backend)| view(id, backend, models.get(id)));
    std::iter::once(mock()).chain(backends).collect()
}

fn mock() -> BackendView {
    BackendView {
        id: MOCK.to_owned(),
        format: MOCK.to_owned(),
        url: None,
        model: None,
        key: None,
        max_tokens: None,
        price: None,
        fault: None,
    }
}

fn view(id: &str, backend: &BackendConfig, model: Option<&Model>) -> BackendView {
    BackendView {
        id: id.to_owned(),
        format: backend.format.name().to_owned(),
        url: Some(backend.url.clone()),
        model: backend.model.clone(),
        key: backend.key.as_ref().map(ToString::to_string),
        max_tokens: Some(backend.max_tokens),
        price: backend.price.as_ref().map(ToString::to_string),
        fault: model
            .and_then(|model| model.fault(id))
            .map(|fault| fault.to_string()),
    }
}
