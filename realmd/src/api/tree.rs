//! The calls of a run, nested as they called each other.

use realm_client::{api::FrameTree, catalogue::Code, trace::TraceTree};

use super::{
    Answer, Shared,
    extract::Segment,
    problem::Fail,
    runs::{recorded, run_id},
};

pub(super) async fn tree(daemon: Shared, Segment(id): Segment) -> Answer<FrameTree> {
    let id = run_id(&id)?;
    let nested = TraceTree::new(recorded(&daemon, id).await?).nested();
    // Every trace has the run's own call.
    let none = || Fail::new(Code::Internal, "the trace has no call".to_owned()).about(id);
    Ok(axum::Json(nested.ok_or_else(none)?))
}
