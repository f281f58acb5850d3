//! What the owner changes: policies, children, peers, petnames; loops are in `loops`.

use std::collections::BTreeMap;

use realm_policy::{
    Action, Allow, Caller, Decision, allow_policy, default_policies, peer_policies,
};
use realm_protocol::{
    FailureCode, Label, LoopId, RealmId, RealmName, RealmPath, Scope, audit::AuditNote,
    journal::Table, limits,
};

use crate::{
    AllowAsked, Allowed, CallerName, ControlId, Node, Person, Refusal, Request, Response,
    SignInsRow,
    people::User,
    rules::Rules,
    state::{self, StoredPolicy, Target},
};

impl Node {
    /// Carries out what is asked for, by whom if that is known.
    pub(crate) fn handle_control(
        &mut self,
        id: ControlId,
        asker: Option<&Person>,
        request: Request,
    ) {
        let by = asker.map(|asker| asker.name.as_str());
        let note = self.note_of(by, &request);
        match request {
            Request::By(person, asked) => self.handle_asked_by(id, &person, *asked),
            Request::May(_) => self.respond(id, Response::Done),
            Request::Know(member) => {
                self.know_member(member);
                self.respond(id, Response::Done);
            }
            Request::ForgetMembers => {
                self.forget_members();
                self.respond(id, Response::Done);
            }
            Request::KeepSignIns(SignInsRow { key, value }) => {
                match value {
                    Some((value, until)) => {
                        self.put_until(Table::SignIns, key.as_bytes(), value.to_vec(), until);
                    }
                    None => self.delete(Table::SignIns, key.as_bytes()),
                }
                self.respond(id, Response::Done);
            }
            Request::Note(note) => {
                self.audit_done(note);
                self.respond(id, Response::Done);
            }
            Request::InvokeAs(agent, asked) => self.invoke_as(id, agent, *asked),
            Request::Invoke(asked) => {
                self.invoke(id, asker.cloned().map(User::Person), asked);
            }
            Request::Broadcast(asked) => self.broadcast(id, by, *asked),
            Request::Cancel(run) => {
                self.audit_settled(note, &Ok(Response::Done));
                self.cancel(id, run);
            }
            Request::Erase(asked) => {
                let done = self.erase(*asked);
                self.settle(id, note, done);
            }
            Request::ForgetPseudonyms(asked) => {
                let done = self.forget_pseudonyms(asked);
                self.respond(id, done);
            }
            Request::Pause(run) => {
                let done = self.pause_run(run);
                self.settle(id, note, done);
            }
            Request::Resume(run, decision) => {
                let done = match self.decide_broadcast(run, decision.as_ref()) {
                    Some(done) => done,
                    None => self.resume_run(run, decision),
                };
                self.settle(id, note, done);
            }
            Request::Decide(said) => self.decide_approval(id, said),
            Request::Halt(asked) => self.halt(id, asked),
            Request::Unhalt(asked) => self.unhalt(id, asked),
            Request::Invite(asked) => self.invite(id, by, asked),
            Request::Join(asked) => self.join(id, asked),
            Request::Contracts(asked) => self.contracts_of(id, asked),
            Request::Trace(asked) => self.ask_for_trace(id, *asked),
            Request::Ping(name) => match self.resolve_name(&name) {
                Ok(scope) => self.ping(id, scope),
                Err(refusal) => self.refuse(id, refusal),
            },
            Request::Apply(asked) => {
                let done = self.apply(asked).map(Response::Applied);
                self.settle(id, note, done);
            }
            Request::Restrict(asked) => {
                let done = self.restrict(&asked).map(Response::Restricted);
                self.settle(id, note, done);
            }
            Request::RemoveLoop(asked) => {
                let done = self.remove_loop(&asked);
                self.settle(id, note, done);
            }
            Request::Prompt(asked) => {
                let done = self.change_prompt(asked);
                self.settle(id, note, done);
            }
            Request::ForgetState { agent, key } => {
                let done = self.forget_state(&agent, key.as_deref());
                self.settle(id, note, done);
            }
            Request::ResetBreaker(asked) => {
                let done = self.reset_breaker(&asked.of);
                self.settle(id, note, done);
            }
            Request::Allow(asked) => {
                let done = self.allow(&asked).map(Response::Allowed);
                self.settle(id, note, done);
            }
            Request::SetPolicy {
                id: policy,
                cedar,
                subtree,
            } => {
                let done = self
                    .set_policy(policy, cedar, subtree)
                    .map(|()| Response::Done);
                self.settle(id, note, done);
            }
            Request::Grant(asked) => self.grant(id, by, asked),
            Request::HoldGrant(links) => {
                let done = self.hold_grant(links);
                self.settle(id, note, done);
            }
            Request::Acknowledge { realm, .. } => {
                let done = self.acknowledge_contradiction(&realm);
                self.settle(id, note, done);
            }
            Request::RevokeGrant(grant) => {
                let done = self.revoke_grant(grant);
                self.settle(id, note, done);
            }
            Request::Disallow(policy) => {
                let done = self.disallow(&policy);
                self.settle(id, note, done);
            }
            Request::ApplyRate(rate) => {
                let done = self.apply_rate(rate);
                self.settle(id, note, done);
            }
            Request::RemoveRate(name) => {
                let done = self.remove_rate(&name);
                self.settle(id, note, done);
            }
            Request::Revoke(path) => {
                let done = self.revoke_child(&path);
                self.settle(id, note, done);
            }
            Request::RemovePeer(petname) => {
                let done = self.remove_peer(&petname);
                self.settle(id, note, done);
            }
            Request::Pin { petname, root } => {
                self.pin(petname, root);
                self.publish_policy();
                self.settle(id, note, Ok(Response::Done));
            }
        }
    }

    pub(crate) fn settle(
        &mut self,
        id: ControlId,
        note: Option<AuditNote>,
        done: Result<Response, Refusal>,
    ) {
        self.audit_settled(note, &done);
        match done {
            Ok(response) => self.respond(id, response),
            Err(refusal) => self.refuse(id, refusal),
        }
    }

    // Policies.

    fn allow(&mut self, asked: &AllowAsked) -> Result<Allowed, Refusal> {
        let (caller, owner) = (
            self.caller_called(&asked.caller)?,
            match &asked.owner {
                Some(owner) => self.resolve_name(owner)?,
                None => self.me.scope(),
            },
        );
        let action = asked.action.parse().ok();
        // Joining takes an invitation, and what people do is no realm's.
        let (between, range) = match &caller {
            Caller::Realm(_) => (
                &Action::BETWEEN_REALMS[..],
                "invoke, discover, relay, announce, bid, award or read-trace",
            ),
            Caller::Agent { .. } => (&[Action::Invoke][..], "invoke: an agent does nothing else"),
        };
        let Some(action) = action.filter(|action| between.contains(action)) else {
            let (what, range) = ("the action", range.to_owned());
            return Err(Refusal::Range { what, range });
        };
        if let (Caller::Realm(scope), CallerName::Realm(name)) = (&caller, &asked.caller) {
            self.check_peering(scope, name)?;
        }
        let expires = asked.for_ms.map(|for_ms| self.wall().plus(for_ms));
        let allow = Allow {
            caller: caller.clone(),
            action,
            pattern: asked.pattern.clone(),
            owner,
            expires,
            caller_name: asked.caller.to_string(),
        };
        let (mut id, cedar) = allow_policy(&allow);
        if asked.subtree {
            id = format!("subtree.{id}");
        }
        let warnings = self.standing_in_the_way(&allow);
        if !asked.dry_run {
            self.set_policy(id.clone(), cedar.clone(), asked.subtree)?;
        }
        Ok(Allowed {
            id,
            cedar,
            warnings,
        })
    }

    /// Whom a permission is for.
    ///
    /// # Errors
    /// [`Refusal::UnknownPetname`] with the names there are.
    pub fn caller_called(&self, name: &CallerName) -> Result<Caller, Refusal> {
        Ok(match name {
            CallerName::Realm(name) => self.resolve_name(name)?.into(),
            CallerName::Agent(id) => Caller::Agent {
                home: self.me.scope(),
                id: id.clone(),
            },
        })
    }

    /// At a root, only realms that a peering opens this tree to are permitted anything.
    fn check_peering(&self, caller: &Scope, name: &RealmName) -> Result<(), Refusal> {
        let foreign = caller.root != self.me.root();
        let peered = self.kin.peers.contains_key(&caller.root);
        let inside = self
            .kin
            .peer_scopes(self.me.realm(), caller.root)
            .iter()
            .any(|scope| scope.contains(&caller.path));
        if foreign && self.me.is_root() && !(peered && inside) {
            let caller = name.clone();
            return Err(Refusal::OutsidePeering { caller });
        }
        Ok(())
    }

    /// Says which realms above would deny what is being allowed here.
    fn standing_in_the_way(&self, allow: &Allow) -> Vec<String> {
        let sample: Option<LoopId> = allow.pattern.replace('*', "any").parse().ok();
        let Some(sample) = sample else {
            return Vec::new();
        };
        let resource = realm_policy::Resource::Loop {
            owner: &allow.owner,
            id: &sample,
        };
        let caller = allow.caller.as_principal();
        let request = realm_policy::Request::new(allow.action, caller, resource, self.now.wall);
        match self.rules.policy().decide(&request) {
            Decision::Denied(denial) => match denial.level {
                realm_policy::Level::Ceiling { scope, .. } => {
                    let name = self.name_of(&scope);
                    vec![format!(
                        "{name}, above this realm, denies it to its subtree"
                    )]
                }
                realm_policy::Level::Missing { depth } => {
                    vec![format!(
                        "the policy of the realm at depth {depth} has not arrived yet"
                    )]
                }
                realm_policy::Level::Own => Vec::new(),
            },
            Decision::Permitted(_) => Vec::new(),
        }
    }

    pub(crate) fn set_policy(
        &mut self,
        id: String,
        cedar: String,
        subtree: bool,
    ) -> Result<(), Refusal> {
        let mut documents = self.rules.documents().clone();
        let policy = StoredPolicy {
            cedar,
            subtree,
            created: self.wall(),
        };
        let row = state::write(&policy);
        documents.insert(id.clone(), policy);
        self.take_documents(documents)?;
        self.put(Table::Policies, id.as_bytes(), row);
        if subtree {
            self.publish_policy();
        }
        Ok(())
    }

    pub(crate) fn take_documents(
        &mut self,
        documents: BTreeMap<String, StoredPolicy>,
    ) -> Result<(), Refusal> {
        if Rules::subtree_bytes(&documents) > limits::POLICY_BYTES {
            let what = "bytes of policy for the subtree";
            return Err(Refusal::Full {
                what,
                limit: limits::POLICY_BYTES,
            });
        }
        self.rules.set_documents(documents).map_err(Refusal::Policy)
    }

    fn disallow(&mut self, id: &str) -> Result<Response, Refusal> {
        let mut documents = self.rules.documents().clone();
        let Some(removed) = documents.remove(id) else {
            return Err(Refusal::NotFound {
                what: "policy",
                name: id.to_owned(),
            });
        };
        self.take_documents(documents)?;
        self.delete(Table::Policies, id.as_bytes());
        if removed.subtree {
            self.publish_policy();
        }
        Ok(Response::Done)
    }

    /// Adds one permission to invoke for each loop id pattern that an invitation named.
    pub(crate) fn allow_patterns(&mut self, caller: &Scope, patterns: &[String]) {
        for pattern in patterns {
            let allow = Allow {
                caller: caller.clone().into(),
                action: Action::Invoke,
                pattern: pattern.clone(),
                owner: self.me.scope(),
                expires: None,
                caller_name: self.name_of(caller),
            };
            let (id, cedar) = allow_policy(&allow);
            if let Err(error) = self.set_policy(id, cedar, false) {
                tracing::warn!(%error, pattern, "an invitation's permission does not compile");
            }
        }
    }

    /// Writes the policies a realm starts with, for the root it now stands under.
    pub(crate) fn write_default_policies(&mut self) {
        for (id, cedar, subtree) in defaults_for(&self.me.scope()) {
            self.set_generated(id, cedar, subtree);
        }
    }

    /// Moves the policies a realm starts with to the place it has now. One that its owner has
    /// changed or removed stays as it is.
    pub(crate) fn move_default_policies(&mut self, before: &Scope) {
        self.rules.set_ancestors(self.me.path().depth());
        let old = defaults_for(before);
        for (id, cedar, subtree) in defaults_for(&self.me.scope()) {
            let held = self.rules.documents().get(&id).map(|held| &held.cedar);
            let written = old
                .iter()
                .find(|(old, ..)| *old == id)
                .map(|(_, cedar, _)| cedar);
            if held.is_some() && held == written {
                self.set_generated(id, cedar, subtree);
            }
        }
    }

    /// Puts what earlier versions wrote, word for word, into the words of today, which mean realms alone. What
    /// its owner has changed or removed stays as it is.
    pub(crate) fn renew_generated(&mut self) {
        let me = self.me.scope();
        let peers = self.kin.peers.iter();
        let peers = peers.flat_map(|(root, peer)| policies_for(&me, *root, &peer.petname));
        let generated: Vec<_> = defaults_for(&me).into_iter().chain(peers).collect();
        for (id, cedar, subtree) in generated {
            let before = cedar.replace("principal is Realm in ", "principal in ");
            let held = self.rules.documents().get(&id);
            if held.is_some_and(|held| held.cedar == before && before != cedar) {
                self.set_generated(id, cedar, subtree);
            }
        }
    }

    /// A peering opens this tree to the peer's, as far as the realms in it permit.
    pub(crate) fn add_peer_policies(&mut self, peer: RealmId, petname: &Label) {
        for (id, cedar, subtree) in policies_for(&self.me.scope(), peer, petname) {
            self.set_generated(id, cedar, subtree);
        }
    }

    fn set_generated(&mut self, id: String, cedar: String, subtree: bool) {
        if let Err(error) = self.set_policy(id.clone(), cedar, subtree) {
            tracing::error!(%error, id, "a policy of the daemon's own does not compile");
        }
    }

    // Kin.

    fn revoke_child(&mut self, path: &RealmPath) -> Result<Response, Refusal> {
        let below = path.depth().checked_sub(self.me.path().depth());
        let label = self.me.path().next_label(path).filter(|_| below == Some(1));
        let not_found = || Refusal::NotFound {
            what: "child",
            name: path.to_string(),
        };
        let label = label.ok_or_else(not_found)?;
        if !self.kin.children.contains_key(&label) {
            return Err(not_found());
        }
        if !self.me.may_issue(self.wall()) {
            return Err(Refusal::MayNotIssue);
        }
        if self.trust.serials(self.me.realm()).len() >= limits::REVOCATIONS {
            return Err(Refusal::Full {
                what: "revoked certificates",
                limit: limits::REVOCATIONS,
            });
        }
        self.let_child_go(&label);
        Ok(Response::Done)
    }

    fn remove_peer(&mut self, petname: &Label) -> Result<Response, Refusal> {
        let found = self
            .kin
            .peers
            .iter()
            .find(|(_, peer)| peer.petname == *petname);
        let Some(root) = found.map(|(root, _)| *root) else {
            return Err(Refusal::NotFound {
                what: "peer",
                name: petname.to_string(),
            });
        };
        self.kin.peers.remove(&root);
        self.rules.set_peers(&self.kin.peers);
        self.kin.petnames.remove(petname);
        self.routes.forget_peer(root);
        self.delete(Table::Peers, root.as_bytes());
        self.delete(Table::Petnames, petname.as_str().as_bytes());
        self.forget_tickets_of(root);
        self.turned_away.remove(&Target::Peer(root));
        for id in [format!("peer-{petname}"), format!("subtree.peer-{petname}")] {
            // Absent if the owner has removed it before.
            let _ = self.disallow(&id);
        }
        if let Some(link) = self.peer_link(root) {
            self.close(link, Some(FailureCode::Denied), "the peering has ended");
        }
        self.publish_policy();
        Ok(Response::Done)
    }

    /// Where a realm stands that a person named.
    ///
    /// # Errors
    /// [`Refusal::UnknownPetname`] with the names there are.
    pub fn resolve_name(&self, name: &RealmName) -> Result<Scope, Refusal> {
        let above = self.rules.petnames_above();
        let own = *name.petname.as_str() == *self.root_name().as_str();
        let root = if own {
            self.me.root()
        } else {
            self.kin.root_called(&name.petname, above)?
        };
        Ok(Scope {
            root,
            path: name.path.clone(),
        })
    }

    /// What a realm is called on this machine.
    pub fn name_of(&self, scope: &Scope) -> String {
        if scope.root == self.me.root() {
            let name = RealmName {
                petname: self.root_name(),
                path: scope.path.clone(),
            };
            return name.to_string();
        }
        self.kin.name_of(scope, self.rules.petnames_above())
    }
}

/// The policies a realm starts with at a place: id, Cedar text, whether for the subtree.
fn defaults_for(scope: &Scope) -> Vec<(String, String, bool)> {
    let defaults = default_policies(scope);
    let own = defaults
        .own
        .into_iter()
        .map(|(id, cedar)| (id, cedar, false));
    let subtree = defaults.subtree.into_iter();
    let subtree = subtree.map(|(id, cedar)| (format!("subtree.{id}"), cedar, true));
    own.chain(subtree).collect()
}

/// What a peering adds at a root: id, Cedar text, whether for the subtree.
fn policies_for(me: &Scope, peer: RealmId, petname: &Label) -> [(String, String, bool); 2] {
    let texts = peer_policies(me, peer, petname.as_str(), &[RealmPath::ROOT]);
    [
        (format!("peer-{petname}"), texts.own, false),
        (format!("subtree.peer-{petname}"), texts.subtree, true),
    ]
}
