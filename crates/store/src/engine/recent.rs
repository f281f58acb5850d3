//! What the log holds and the engine does not yet: layers of batches, the newest last.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::Bound,
    sync::Arc,
};

use super::{Batch, Row, Rows, Snapshot};
use crate::{EngineError, Tree, layout::KeyRange};

/// Batches in layers, each more than twice as large as the next, so that there are few. Clones
/// share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Recent {
    layers: Vec<Arc<Batch>>,
}

impl Recent {
    /// Puts a batch over what is there.
    pub(super) fn push(&mut self, batch: Arc<Batch>) {
        let mut newest = batch;
        while let Some(below) = self.layers.pop_if(|below| below.len() / 2 <= newest.len()) {
            newest = merged(below, newest);
        }
        self.layers.push(newest);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }

    /// Makes one layer of all, and gives it.
    pub(super) fn compact(&mut self) -> Arc<Batch> {
        let all = self.layers.drain(..).reduce(merged).unwrap_or_default();
        self.layers.push(Arc::clone(&all));
        all
    }

    /// What it says of a key, if it does; no value where it is deleted.
    fn get(&self, tree: Tree, key: &[u8]) -> Option<Option<&[u8]>> {
        let mut layers = self.layers.iter().rev();
        layers.find_map(|layer| layer.pending(tree, key))
    }

    fn range(&self, tree: Tree, range: &KeyRange) -> BTreeMap<&[u8], Option<&[u8]>> {
        let until = match &range.until {
            Some(until) => Bound::Excluded(until.as_slice()),
            None => Bound::Unbounded,
        };
        let bounds = (Bound::Included(range.from.as_slice()), until);
        let layers = self.layers.iter().filter_map(|layer| layer.tree(tree));
        let writes = layers.flat_map(|writes| writes.range::<[u8], _>(bounds));
        writes
            .map(|(key, value)| (key.as_slice(), value.as_deref()))
            .collect()
    }
}

/// Both batches, of which nobody else should hold one: then nothing is copied.
fn merged(below: Arc<Batch>, above: Arc<Batch>) -> Arc<Batch> {
    let mut merged = Arc::unwrap_or_clone(below);
    merged.append(Arc::unwrap_or_clone(above));
    Arc::new(merged)
}

/// What an engine holds, as it is with what the log holds over it.
pub(super) struct RecentSnapshot<'a> {
    pub(super) recent: Recent,
    pub(super) engine: Box<dyn Snapshot + 'a>,
}

impl Snapshot for RecentSnapshot<'_> {
    fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        match self.recent.get(tree, key) {
            Some(value) => Ok(value.map(<[u8]>::to_vec)),
            None => self.engine.get(tree, key),
        }
    }

    fn range(&self, tree: Tree, range: &KeyRange) -> Result<Rows<'_>, EngineError> {
        if range.is_empty() {
            return Ok(Box::new(std::iter::empty()));
        }
        let recent = self.recent.range(tree, range);
        let engine = self.engine.range(tree, range)?;
        if recent.is_empty() {
            return Ok(engine);
        }
        Ok(Box::new(Merged {
            recent: recent.into_iter().collect(),
            engine,
            front: None,
            back: None,
        }))
    }
}

/// Two runs of rows as one, from either end; where both have a key the recent one counts.
struct Merged<'a> {
    recent: VecDeque<(&'a [u8], Option<&'a [u8]>)>,
    engine: Rows<'a>,
    /// The engine's next row at either end, where it has been read already.
    front: Option<Row>,
    back: Option<Row>,
}

impl Merged<'_> {
    fn fill_front(&mut self) -> Result<(), EngineError> {
        if self.front.is_none() {
            self.front = self.engine.next().transpose()?;
        }
        if self.front.is_none() {
            self.front = self.back.take();
        }
        Ok(())
    }

    fn fill_back(&mut self) -> Result<(), EngineError> {
        if self.back.is_none() {
            self.back = self.engine.next_back().transpose()?;
        }
        if self.back.is_none() {
            self.back = self.front.take();
        }
        Ok(())
    }

    fn first(&mut self) -> Result<Option<Row>, EngineError> {
        loop {
            self.fill_front()?;
            let Some((key, _)) = self.recent.front() else {
                return Ok(self.front.take());
            };
            match &self.front {
                Some((stored, _)) if stored.as_slice() < *key => return Ok(self.front.take()),
                Some((stored, _)) if stored.as_slice() == *key => self.front = None,
                _ => {}
            }
            if let Some(row) = self.recent.pop_front().and_then(written) {
                return Ok(Some(row));
            }
        }
    }

    fn last(&mut self) -> Result<Option<Row>, EngineError> {
        loop {
            self.fill_back()?;
            let Some((key, _)) = self.recent.back() else {
                return Ok(self.back.take());
            };
            match &self.back {
                Some((stored, _)) if stored.as_slice() > *key => return Ok(self.back.take()),
                Some((stored, _)) if stored.as_slice() == *key => self.back = None,
                _ => {}
            }
            if let Some(row) = self.recent.pop_back().and_then(written) {
                return Ok(Some(row));
            }
        }
    }
}

/// A row, unless it is deleted.
fn written((key, value): (&[u8], Option<&[u8]>)) -> Option<Row> {
    value.map(|value| (key.to_vec(), value.to_vec()))
}

impl Iterator for Merged<'_> {
    type Item = Result<Row, EngineError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.first().transpose()
    }
}

impl DoubleEndedIterator for Merged<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.last().transpose()
    }
}
