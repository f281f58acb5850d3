//! Keys in [`realm_protocol::journal::Table::Standing`].

pub(crate) const PARENT: &[u8] = b"parent";
pub(crate) const NODE_CERT: &[u8] = b"node-cert";
pub(crate) const REALM_RECORD: &[u8] = b"realm-record";
pub(crate) const SERIAL: &[u8] = b"serial";
pub(crate) const REVOKED: &[u8] = b"revoked";
pub(crate) const POLICY: &[u8] = b"policy";
pub(crate) const CLOCK: &[u8] = b"clock";
/// Before the id of each realm whose successions are remembered.
pub(crate) const HISTORY: &[u8] = b"history/";

/// Before the id of each call of this realm's that may be kept elsewhere.
pub(crate) const CALL: &[u8] = b"call/";

/// Before the id of each call of this realm's that another one has accepted.
pub(crate) const ACCEPTED: &[u8] = b"accepted/";
/// Before what names each end of a call that its caller has not acknowledged.
pub(crate) const DELIVERY: &[u8] = b"delivery/";

/// What the salts of shown traces come from.
pub(crate) const TRACES: &[u8] = b"traces";

/// When a backup was put in the place of what was here.
pub(crate) const RESTORED: &[u8] = b"restored";

/// Before the name of each breaker that is open.
pub(crate) const BREAKER: &[u8] = b"breaker/";

/// Before the id of each limit that a document sets.
pub(crate) const LIMIT: &[u8] = b"limit/";

/// Where a limit is.
pub(crate) fn limit(id: &str) -> Vec<u8> {
    [LIMIT, id.as_bytes()].concat()
}

/// Where a call that another realm has accepted is.
pub(crate) fn accepted(call: realm_protocol::CallId) -> Vec<u8> {
    [ACCEPTED, call.as_bytes()].concat()
}

/// Where the end of a call is: by the run, and the caller's call.
pub(crate) fn delivery(run: realm_protocol::RunId, call: realm_protocol::CallId) -> Vec<u8> {
    [DELIVERY, run.as_bytes(), call.as_bytes()].concat()
}

/// Where a call that may be kept elsewhere is.
pub(crate) fn call(call: realm_protocol::CallId) -> Vec<u8> {
    [CALL, call.as_bytes()].concat()
}

/// Where the successions of a realm are.
pub(crate) fn history(realm: realm_protocol::RealmId) -> Vec<u8> {
    [HISTORY, realm.as_bytes()].concat()
}
