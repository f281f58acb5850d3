//! Receipts for others to examine.

use std::collections::BTreeSet;

use realm_protocol::{
    broadcast::Evidence,
    cbor::{self, Blob, CborError},
    limits::{RECEIPT_CHAINS, RECEIPT_ITEMS, RECEIPT_PAGES},
    receipt::{CallReceipt, KeptReceipt, ReceiptExport, ReceiptList, Statement},
    records::Signed,
};

use crate::{Node, market::bare};

/// Bytes of root, realm and node before the time in the key of a chain's row.
const SIGNER: std::ops::Range<usize> = 32..96;

impl Node {
    /// Makes evidence of receipts, with the chains of all who have signed them, and signs the list of
    /// them. `signers` are the rows of the chains that are kept. None where there are too many.
    /// Orders are left out unless `open` says that what was called may be shown.
    ///
    /// # Errors
    /// [`CborError`] where a receipt does not read.
    pub fn export_receipts(
        &self,
        receipts: &[Blob],
        signers: &[(Vec<u8>, Vec<u8>)],
        statement: Option<Statement>,
        open: bool,
    ) -> Result<Option<Blob>, CborError> {
        if receipts.len() > RECEIPT_ITEMS.saturating_mul(RECEIPT_PAGES) {
            return Ok(None);
        }
        let mut items: Vec<Blob> = Vec::with_capacity(receipts.len());
        let mut digests = Vec::with_capacity(receipts.len());
        let mut used = BTreeSet::new();
        for encoded in receipts {
            let kept: KeptReceipt = cbor::decode(encoded)?;
            let source = kept.signed.peek()?.source;
            if let (Some(realm), Some(node)) = (source.realm, source.node) {
                used.insert([realm.as_bytes().as_slice(), node.as_bytes()].concat());
            }
            digests.push(CallReceipt::digest(&kept.receipt));
            items.push(match open {
                true => encoded.clone(),
                false => cbor::encode(&KeptReceipt {
                    order: None,
                    ..kept
                })
                .into(),
            });
        }
        let needed = |row: &[u8]| row.get(SIGNER).is_some_and(|signer| used.contains(signer));
        let theirs = signers.iter().filter(|(row, _)| needed(row));
        let theirs = theirs.map(|(_, chain)| Blob::from(chain.clone()));
        let chains: Vec<Blob> = self
            .me
            .chain()
            .map(bare)
            .into_iter()
            .chain(theirs)
            .collect();
        if chains.len() > RECEIPT_CHAINS {
            return Ok(None);
        }
        let mut list = Signed::unsigned(&ReceiptList {
            realm: self.me.realm(),
            at: self.now.wall,
            count: digests.len() as u64,
            digest: ReceiptList::digest(digests),
            statement,
        });
        self.me.signer().sign(&mut list);
        let pages = items.chunks(RECEIPT_ITEMS);
        let pages = pages.map(|page| Blob::from(cbor::encode(&page.to_vec())));
        let export = ReceiptExport {
            list,
            pages: pages.collect(),
            chains,
        };
        Ok(Some(cbor::encode(&Evidence::Receipts(export)).into()))
    }
}
