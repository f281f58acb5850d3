//! Certificate chains: from a root that is expected down to the realm that claims its name.

mod verified;

use std::sync::Arc;

use realm_protocol::{
    NodeId, RealmId, RealmPath, Timestamp,
    cbor::{self, Blob},
    limits,
    records::{Chain, ChainLink, ChildCert, KemPurpose, KemRecord, NodeCert, scopes},
};

use crate::{
    ed25519::PublicKey,
    inception::{KeyHistory, check_fork},
    record::{CertError, verify},
};
pub use verified::{Ancestor, VerifiedChain};
use verified::{Proof, Term};

/// What a chain is checked against.
#[derive(Clone, Copy)]
pub struct Trust<'a> {
    /// The root that the chain must start at.
    pub root: RealmId,
    /// My own chain. Certificates above the nearest realm that both chains pass need be neither
    /// current nor unrevoked, so that a subtree that was cut off goes on working inside.
    pub shared: Option<&'a VerifiedChain>,
    /// Whether an issuer has revoked a serial.
    pub revoked: &'a dyn Fn(RealmId, u64) -> bool,
    /// The wall clock.
    pub now: Timestamp,
}

/// Verifies a chain: every signature, every name, every time that matters.
///
/// # Errors
/// [`CertError`] names the first thing that does not hold. No bytes make it panic.
pub fn verify_chain(chain: &Chain, trust: &Trust<'_>) -> Result<VerifiedChain, CertError> {
    let links = verify_links(chain, trust)?;
    let shared = shared(&links, trust.shared);
    prove(chain, trust, &links, shared)
}

/// Verifies this realm's own chain, as [`verify_chain`] does, save that nothing above the realm
/// need be current or unrevoked: what it says to those below and beside it does not rest there.
///
/// # Errors
/// As [`verify_chain`].
pub fn verify_own_chain(
    chain: &Chain,
    root: RealmId,
    now: Timestamp,
) -> Result<VerifiedChain, CertError> {
    let trust = Trust {
        root,
        shared: None,
        revoked: &|_, _| false,
        now,
    };
    let links = verify_links(chain, &trust)?;
    prove(chain, &trust, &links, links.len())
}

/// A link whose signatures and names hold; its times are still to be judged.
struct Link {
    realm: RealmId,
    path: RealmPath,
    node_cert: NodeCert,
    child_cert: Option<ChildCert>,
}

impl Link {
    fn node(&self) -> NodeId {
        self.node_cert.node
    }

    fn may(&self, scope: u64) -> bool {
        self.node_cert.scopes & scope == scope
    }

    /// Whether the realm may certify children; a root always may.
    fn may_certify(&self) -> bool {
        let limits = self.child_cert.as_ref().map(|cert| cert.limits);
        limits.is_none_or(|limits| limits.may_certify)
    }

    fn ancestor(&self) -> Ancestor {
        Ancestor {
            realm: self.realm,
            path: self.path.clone(),
            node: self.node(),
            issue: self.may(scopes::ISSUE),
        }
    }
}

fn verify_links(chain: &Chain, trust: &Trust<'_>) -> Result<Vec<Link>, CertError> {
    if chain.links.len() > limits::PATH_DEPTH.saturating_add(1) {
        return Err(CertError::Depth);
    }
    let mut links: Vec<Link> = Vec::new();
    for link in &chain.links {
        let own = trust
            .shared
            .and_then(|own| own.chain().links.get(links.len()));
        let node_cert = verify_node(link, own)?;
        let next = match links.last() {
            None => verify_root(link, node_cert, trust.root)?,
            Some(parent) => verify_child(link, node_cert, parent)?,
        };
        links.push(next);
    }
    Ok(links)
}

/// Follows the realm's key and checks the node's certificate by it. Where my own chain passes
/// the same realm, its successions count as well: nobody can hide one that I have seen.
fn verify_node(link: &ChainLink, own: Option<&ChainLink>) -> Result<NodeCert, CertError> {
    let realm = link.inception.realm_id();
    let known = own
        .filter(|own| own.inception.realm_id() == realm)
        .map_or(&[][..], |own| &own.successions);
    let mut history = KeyHistory::verify(&link.inception, &link.successions, realm)?;
    check_fork(known, &link.successions)?;
    if known.len() > link.successions.len() {
        history = KeyHistory::verify(&link.inception, known, realm)?;
    }
    let claimed = link.node_cert.peek()?;
    let cert = verify(&link.node_cert, &[history.key_of(claimed.epoch)?])?;
    if cert.realm == realm {
        Ok(cert)
    } else {
        Err(CertError::Realm)
    }
}

fn verify_root(link: &ChainLink, node_cert: NodeCert, root: RealmId) -> Result<Link, CertError> {
    let realm = link.inception.realm_id();
    if realm != root {
        return Err(CertError::Root(realm));
    }
    if link.child_cert.is_some() {
        return Err(CertError::Parentage);
    }
    Ok(Link {
        realm,
        path: RealmPath::ROOT,
        node_cert,
        child_cert: None,
    })
}

fn verify_child(link: &ChainLink, node_cert: NodeCert, parent: &Link) -> Result<Link, CertError> {
    let realm = link.inception.realm_id();
    let signed = link.child_cert.as_ref().ok_or(CertError::Parentage)?;
    let (above, below) = (parent.node(), node_cert.node);
    let cert = verify(signed, &[*above.as_bytes(), *below.as_bytes()])?;
    if cert.parent != parent.realm || cert.child != realm {
        return Err(CertError::Realm);
    }
    if cert.parent_node != above || cert.child_node != below {
        return Err(CertError::Node);
    }
    if !parent.may(scopes::ISSUE) || node_cert.scopes & scopes::ISSUE == 0 {
        return Err(CertError::Scope);
    }
    if !parent.may_certify() {
        return Err(CertError::MayNotCertify(parent.realm));
    }
    Ok(Link {
        realm,
        path: parent.path.child(&cert.label)?,
        node_cert,
        child_cert: Some(cert),
    })
}

/// Checks which node serves the realm; gives the record's epoch.
fn verify_realm_record(chain: &Chain, leaf: &Link) -> Result<u64, CertError> {
    let record = verify(&chain.realm_record, &[*leaf.node().as_bytes()])?;
    if record.realm != leaf.realm {
        Err(CertError::Realm)
    } else if record.node != leaf.node() {
        Err(CertError::Node)
    } else if !leaf.may(scopes::ISSUE) {
        Err(CertError::Scope)
    } else {
        Ok(record.epoch)
    }
}

/// Checks every KEM record; gives those that have not run out: for live messages, and for stored
/// ones.
fn verify_kem(
    chain: &Chain,
    leaf: &Link,
    now: Timestamp,
) -> Result<(Vec<KemRecord>, Vec<KemRecord>), CertError> {
    if chain.kem.len() > limits::KEM_RECORDS {
        return Err(CertError::TooMany);
    }
    if !chain.kem.is_empty() && !leaf.may(scopes::MESSAGE) {
        return Err(CertError::Scope);
    }
    let mut open = Vec::new();
    for signed in &chain.kem {
        let record = verify(signed, &[*leaf.node().as_bytes()])?;
        if record.realm != leaf.realm {
            return Err(CertError::Realm);
        }
        if record.node != leaf.node() {
            return Err(CertError::Node);
        }
        if now < record.not_after {
            open.push(record);
        }
    }
    let is_live = |record: &KemRecord| record.purpose == KemPurpose::Live;
    Ok(open.into_iter().partition(is_live))
}

/// How many realms, from the root down, my own chain passes as well.
fn shared(links: &[Link], own: Option<&VerifiedChain>) -> usize {
    let passed = own.map_or(&[][..], VerifiedChain::ancestors);
    let pairs = links.iter().zip(passed);
    pairs
        .take_while(|(link, own)| link.realm == own.realm && link.path == own.path)
        .count()
}

/// The certificates that time and revocation can still undo: all node certificates from the
/// nearest shared realm down, all child certificates below it.
fn terms(links: &[Link], shared: usize) -> Vec<Term> {
    let node_certs = links
        .iter()
        .skip(shared.saturating_sub(1))
        .map(|link| Term::of_node(&link.node_cert));
    let child_certs = links
        .iter()
        .skip(shared)
        .filter_map(|link| link.child_cert.as_ref().map(Term::of_child));
    node_certs.chain(child_certs).collect()
}

/// Checks what the leaf says about itself, and every time that matters.
fn prove(
    chain: &Chain,
    trust: &Trust<'_>,
    links: &[Link],
    shared: usize,
) -> Result<VerifiedChain, CertError> {
    let bytes = Blob::from(cbor::encode(chain));
    if bytes.len() > limits::CHAIN_BYTES {
        return Err(CertError::TooLong);
    }
    let leaf = links.last().ok_or(CertError::Empty)?;
    let epoch = verify_realm_record(chain, leaf)?;
    let (kem, stored_kem) = verify_kem(chain, leaf, trust.now)?;
    let proof = Proof {
        root: trust.root,
        key: PublicKey::new(leaf.node().as_bytes()),
        ancestors: links.iter().map(Link::ancestor).collect(),
        terms: terms(links, shared),
        kem,
        stored_kem,
        epoch,
        scopes: leaf.node_cert.scopes,
        limits: leaf.child_cert.as_ref().map(|cert| cert.limits),
        // Read anew, so that it keeps nothing in memory but its own bytes.
        chain: Arc::new(cbor::decode_shared(&bytes.clone().into_bytes())?),
        bytes,
    };
    let verified = VerifiedChain::new(proof).ok_or(CertError::Empty)?;
    verified.is_valid_at(trust.now, trust.revoked)?;
    Ok(verified)
}
