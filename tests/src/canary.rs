//! Strings that must not be seen where they do not belong, in plain, in hex or in base64.

use std::collections::{BTreeMap, BTreeSet};

use crate::HostId;

/// Bytes in a row that count as seen.
const WINDOW: usize = 16;
/// Bytes that are looked at together. Every window has so many in a row that begin at a multiple of it, and
/// so nothing else needs to be looked at.
const PROBE: usize = WINDOW / 2;
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Every window of every canary, in each of the forms.
#[derive(Debug, Default)]
pub(crate) struct Canaries {
    windows: BTreeMap<[u8; WINDOW], usize>,
    /// What windows have at the places that are looked at.
    probes: BTreeSet<[u8; PROBE]>,
    /// The hosts that may know each canary.
    known_to: Vec<BTreeSet<HostId>>,
    /// Whether any probe begins with these two bytes.
    beginnings: Vec<bool>,
}

impl Canaries {
    pub(crate) fn add(&mut self, canary: &str, known_to: Vec<HostId>) {
        self.beginnings.resize(1 << 16, false);
        let number = self.known_to.len();
        self.known_to.push(known_to.into_iter().collect());
        let mut forms = vec![canary.as_bytes().to_vec(), hex(canary.as_bytes())];
        forms.extend((0..3).map(|from| base64(&canary.as_bytes()[from..])));
        for form in forms {
            for window in form.windows(WINDOW) {
                let window: [u8; WINDOW] = window.try_into().expect("a window");
                self.windows.insert(window, number);
            }
            for probe in form.windows(PROBE) {
                self.beginnings[beginning(probe)] = true;
                self.probes.insert(probe.try_into().expect("a probe"));
            }
        }
    }

    /// The first canary in the bytes that whoever holds them should not know.
    pub(crate) fn seen(&self, bytes: &[u8], holder: Option<HostId>) -> Option<usize> {
        if self.windows.is_empty() {
            return None;
        }
        // Much is looked through: a loop is several times as fast here as iterators that are not optimised.
        let mut at = 0;
        while let Some(probe) = bytes.get(at..at + PROBE) {
            if self.beginnings[beginning(probe)] && self.probes.contains(probe) {
                let around = &bytes[at.saturating_sub(PROBE)..bytes.len().min(at + WINDOW)];
                let mut found = around.windows(WINDOW).filter_map(|it| self.windows.get(it));
                let knows = |number: usize| {
                    holder.is_some_and(|holder| self.known_to[number].contains(&holder))
                };
                if let Some(number) = found.find(|number| !knows(**number)) {
                    return Some(*number);
                }
            }
            at += PROBE;
        }
        None
    }
}

fn beginning(probe: &[u8]) -> usize {
    usize::from(probe[0]) << 8 | usize::from(probe[1])
}

fn hex(bytes: &[u8]) -> Vec<u8> {
    bytes
        .iter()
        .flat_map(|byte| format!("{byte:02x}").into_bytes())
        .collect()
}

/// Base 64 of whole groups of three; what is left over is left out.
fn base64(bytes: &[u8]) -> Vec<u8> {
    let group = |three: &[u8]| {
        let bits = u32::from(three[0]) << 16 | u32::from(three[1]) << 8 | u32::from(three[2]);
        [18, 12, 6, 0].map(|shift| BASE64[(bits >> shift & 63) as usize])
    };
    bytes.chunks_exact(3).flat_map(group).collect()
}
