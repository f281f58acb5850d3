//! A request as Cedar sees it: the entities it names, and their ancestors.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{
    Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, RestrictedExpression,
};
use realm_protocol::{RealmId, Scope};
use thiserror::Error;

use crate::{Action, Principal, Request, Resource, Used, schema};

/// Why a request cannot be put to Cedar. Denies.
#[derive(Debug, Error)]
pub(crate) enum AskError {
    #[error("the circumstances do not form a Cedar context: {0}")]
    Context(#[source] Box<cedar_policy::ContextCreationError>),
    #[error("a name does not form a Cedar entity: {0}")]
    Named(#[source] Box<cedar_policy::EntityAttrEvaluationError>),
    #[error("realms and what is in them do not form a Cedar hierarchy: {0}")]
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
    pub(crate) fn new(request: &Request<'_>, peers: &BTreeSet<RealmId>) -> Result<Self, AskError> {
        let mut named = Named {
            peers,
            entities: BTreeMap::new(),
        };
        let principal = match request.principal {
            Principal::Realm(scope) => named.realm(scope),
            Principal::Person { home, name, roles } => {
                let groups = roles.iter().map(|role| group(role.as_str()));
                named.inside(&schema::PERSON, home, name, groups.collect())?
            }
            Principal::Loop { owner, id } => {
                named.inside(&schema::LOOP, owner, id.as_str(), Vec::new())?
            }
            Principal::Agent { home, id } => {
                named.inside(&schema::AGENT, home, id.as_str(), Vec::new())?
            }
        };
        let resource = match request.resource {
            Resource::Realm(scope) => named.realm(scope),
            Resource::Loop { owner, id } => {
                named.inside(&schema::LOOP, owner, id.as_str(), Vec::new())?
            }
            Resource::Used { owner, kind, name } => {
                let kind = match kind {
                    Used::Agent => &schema::AGENT,
                    Used::Tool => &schema::TOOL,
                    Used::Host => &schema::HOST,
                };
                named.inside(kind, owner, name, Vec::new())?
            }
        };
        let action = uid(&schema::ACTION, request.action.name());
        let context = context(request)?;
        let request = cedar_policy::Request::new(principal, action, resource, context, None);
        let entities = Entities::from_entities(named.entities.into_values(), None);
        Ok(Self {
            request: request.map_err(|error| AskError::Request(Box::new(error)))?,
            entities: entities.map_err(|error| AskError::Entities(Box::new(error)))?,
        })
    }
}

fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

fn group(name: &str) -> EntityUid {
    uid(&schema::GROUP, name)
}

/// The entities that a request names, and all above them.
struct Named<'a> {
    peers: &'a BTreeSet<RealmId>,
    entities: BTreeMap<EntityUid, Entity>,
}

impl Named<'_> {
    /// Adds a realm and all above it; gives the realm's own uid.
    fn realm(&mut self, scope: &Scope) -> EntityUid {
        let root = scope.root;
        let mut above = self.peers.contains(&root).then(|| group("peers"));
        let mut last = uid(&schema::REALM, &root.to_string());
        for path in scope.path.lineage() {
            last = uid(&schema::REALM, &Scope { root, path }.to_string());
            let entity = Entity::new_no_attrs(last.clone(), above.into_iter().collect());
            self.entities.insert(last.clone(), entity);
            above = Some(last.clone());
        }
        last
    }

    /// Adds what is in a realm and has a name there; gives its uid.
    fn inside(
        &mut self,
        kind: &EntityTypeName,
        home: &Scope,
        name: &str,
        groups: Vec<EntityUid>,
    ) -> Result<EntityUid, AskError> {
        let parent = self.realm(home);
        let uid = uid(kind, &format!("{name}@{home}"));
        let name = RestrictedExpression::new_string(name.to_owned());
        let attributes = [("name".to_owned(), name)].into_iter().collect();
        let parents = groups.into_iter().chain([parent]).collect();
        let entity = Entity::new(uid.clone(), attributes, parents);
        let entity = entity.map_err(|error| AskError::Named(Box::new(error)))?;
        self.entities.insert(uid.clone(), entity);
        Ok(uid)
    }
}

fn context(request: &Request<'_>) -> Result<Context, AskError> {
    let long = |number| RestrictedExpression::new_long(i64::try_from(number).unwrap_or(i64::MAX));
    let mut pairs = vec![
        ("now".to_owned(), long(request.now.as_millis() / 1_000)),
        (
            "answer".to_owned(),
            RestrictedExpression::new_bool(request.answer),
        ),
    ];
    match request.action {
        Action::Invoke => {
            pairs.push(("approved".to_owned(), long(request.approved)));
            let granted = RestrictedExpression::new_bool(request.granted);
            pairs.push(("granted".to_owned(), granted));
        }
        Action::Step => {
            let by = request.step.map_or("", |step| step.by.as_str());
            let by = RestrictedExpression::new_string(by.to_owned());
            pairs.push(("by".to_owned(), by));
            let tool = request.step.is_some_and(|step| step.tool);
            pairs.push(("tool".to_owned(), RestrictedExpression::new_bool(tool)));
        }
        Action::Spend => {
            let currency = request.cost.map(|cost| cost.currency.to_string());
            let currency = RestrictedExpression::new_string(currency.unwrap_or_default());
            pairs.push(("currency".to_owned(), currency));
            let amount = request.cost.map_or(u64::MAX, |cost| cost.micros);
            pairs.push(("amount".to_owned(), long(amount)));
        }
        _ => {}
    }
    Context::from_pairs(pairs).map_err(|error| AskError::Context(Box::new(error)))
}
