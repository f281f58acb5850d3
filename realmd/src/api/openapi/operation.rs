//! One operation of the API, and what is sent and answered.

use serde_json::Value;
use utoipa::{IntoParams, ToSchema, openapi::path::ParameterIn};

use super::{Schemas, reference};

/// How a body or an answer looks.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    One(fn(&mut Schemas) -> Value),
    Page(fn(&mut Schemas) -> Value),
    Events(fn(&mut Schemas) -> Value),
    Any,
    Text,
    Socket,
}

/// One operation.
pub(super) struct Operation {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) summary: &'static str,
    pub(super) query: Option<fn() -> Vec<utoipa::openapi::path::Parameter>>,
    pub(super) body: Option<Shape>,
    pub(super) answer: Shape,
}

pub(super) const fn get(path: &'static str, summary: &'static str, answer: Shape) -> Operation {
    Operation {
        method: "get",
        path,
        summary,
        query: None,
        body: None,
        answer,
    }
}

pub(super) const fn delete(path: &'static str, summary: &'static str, answer: Shape) -> Operation {
    Operation {
        method: "delete",
        ..get(path, summary, answer)
    }
}

pub(super) const fn post(
    path: &'static str,
    summary: &'static str,
    body: Shape,
    answer: Shape,
) -> Operation {
    Operation {
        method: "post",
        body: Some(body),
        ..get(path, summary, answer)
    }
}

impl Operation {
    pub(super) const fn with(self, query: fn() -> Vec<utoipa::openapi::path::Parameter>) -> Self {
        Self {
            query: Some(query),
            ..self
        }
    }
}

pub(super) const fn one<T: ToSchema>() -> Shape {
    Shape::One(reference::<T>)
}

pub(super) const fn page<T: ToSchema>() -> Shape {
    Shape::Page(reference::<T>)
}

pub(super) fn query<T: IntoParams>() -> Vec<utoipa::openapi::path::Parameter> {
    T::into_params(|| Some(ParameterIn::Query))
}
