//! A request as Cedar sees it: the entities it names, and their ancestors.

use std::collections::BTreeMap;

use cedar_policy::{
    Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, RestrictedExpression,
};
use realm_protocol::Scope;
use thiserror::Error;

use crate::{Request, Resource, schema};

/// Why a request cannot be put to Cedar. Denies.
#[derive(Debug, Error)]
pub(crate) enum AskError {
    #[error("the circumstances do not form a Cedar context: {0}")]
    Context(#[source] Box<cedar_policy::ContextCreationError>),
    #[error("a loop does not form a Cedar entity: {0}")]
    Loop(#[source] Box<cedar_policy::EntityAttrEvaluationError>),
    #[error("realms and loops do not form a Cedar hierarchy: {0}")]
    Entities(#[source] Box<cedar_policy::entities_errors::EntitiesError>),
    #[error("it does not form a Cedar request: {0}")]
    Request(#[source] Box<cedar_policy::RequestValidationError>),
}

/// One request, ready to be put to every level.
pub(crate) struct Question {
    pub(crate) request: cedar_policy::Request,
    pub(crate) entities: Entities,
}

impl Question {
    pub(crate) fn new(request: &Request<'_>) -> Result<Self, AskError> {
        let mut entities = BTreeMap::new();
        let principal = add_realm(&mut entities, request.principal);
        let resource = match request.resource {
            Resource::Realm(scope) => add_realm(&mut entities, scope),
            Resource::Loop { owner, id } => {
                let parent = add_realm(&mut entities, owner);
                let uid = uid(&schema::LOOP, &format!("{id}@{owner}"));
                let name = RestrictedExpression::new_string(id.to_string());
                let attributes = [("name".to_owned(), name)].into_iter().collect();
                let parents = [parent].into_iter().collect();
                let entity = Entity::new(uid.clone(), attributes, parents);
                let entity = entity.map_err(|error| AskError::Loop(Box::new(error)))?;
                entities.insert(uid.clone(), entity);
                uid
            }
        };
        let action = uid(&schema::ACTION, request.action.name());
        let context = context(request)?;
        let request = cedar_policy::Request::new(principal, action, resource, context, None);
        let entities = Entities::from_entities(entities.into_values(), None);
        Ok(Self {
            request: request.map_err(|error| AskError::Request(Box::new(error)))?,
            entities: entities.map_err(|error| AskError::Entities(Box::new(error)))?,
        })
    }
}

fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

/// Adds a realm and all above it; gives the realm's own uid.
fn add_realm(entities: &mut BTreeMap<EntityUid, Entity>, scope: &Scope) -> EntityUid {
    let root = scope.root;
    let mut above = None;
    let mut last = uid(&schema::REALM, &root.to_string());
    for path in scope.path.lineage() {
        last = uid(&schema::REALM, &Scope { root, path }.to_string());
        let parents = above.into_iter().collect();
        entities.insert(last.clone(), Entity::new_no_attrs(last.clone(), parents));
        above = Some(last.clone());
    }
    last
}

fn context(request: &Request<'_>) -> Result<Context, AskError> {
    let seconds = i64::try_from(request.now.as_millis() / 1_000).unwrap_or(i64::MAX);
    let pairs = [
        ("now".to_owned(), RestrictedExpression::new_long(seconds)),
        (
            "answer".to_owned(),
            RestrictedExpression::new_bool(request.answer),
        ),
        (
            "approved".to_owned(),
            RestrictedExpression::new_long(i64::try_from(request.approved).unwrap_or(0)),
        ),
    ];
    Context::from_pairs(pairs).map_err(|error| AskError::Context(Box::new(error)))
}
