//! What is behind an IO error: libp2p wraps one in another at every layer.

use std::{error::Error, io};

/// Finds the first IO error with a telling kind in the chain of sources.
pub(crate) fn kind(error: &io::Error) -> io::ErrorKind {
    chain(error)
        .filter_map(|error| error.downcast_ref::<io::Error>())
        .map(io::Error::kind)
        .find(|kind| *kind != io::ErrorKind::Other)
        .unwrap_or(io::ErrorKind::Other)
}

/// Gives the text of the last error in the chain of sources.
pub(crate) fn innermost(error: &io::Error) -> String {
    chain(error)
        .last()
        .map_or_else(String::new, ToString::to_string)
}

/// Walks the chain of sources, through IO errors that wrap others.
fn chain<'a>(error: &'a io::Error) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let first: &'a (dyn Error + 'static) = error;
    std::iter::successors(Some(first), |error| {
        let error: &'a (dyn Error + 'static) = *error;
        match error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
        {
            Some(inner) => {
                let inner: &(dyn Error + 'static) = inner;
                Some(inner)
            }
            None => error.source(),
        }
    })
}
