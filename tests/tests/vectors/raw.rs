//! CBOR as it stands, for values that no type would write.

use ciborium::Value;
use realm_protocol::cbor::{self, Blob, CborError, Reader, Wire, Writer};

/// Changes a byte string.
pub(super) fn change(blob: &mut Blob, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = blob.to_vec();
    change(&mut bytes);
    *blob = bytes.into();
}

/// Any value.
pub(super) struct Raw(pub(super) Value);

impl Wire for Raw {
    fn write(&self, out: &mut Writer) {
        let mut bytes = Vec::new();
        ciborium::into_writer(&self.0, &mut bytes).unwrap();
        out.raw(&bytes);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, CborError> {
        Ok(Self(ciborium::from_reader(from.item()?).unwrap()))
    }
}

/// Bytes of a map with one key set, or left out.
pub(super) fn with(bytes: &[u8], key: u64, value: Option<Value>) -> Vec<u8> {
    edit(bytes, |map| {
        map.retain(|(held, _)| *held != Value::from(key));
        if let Some(value) = value {
            map.push((Value::from(key), value));
        }
        map.sort_by_key(|(key, _)| u64::try_from(key.as_integer().unwrap()).unwrap());
    })
}

/// Bytes of a map after an edit of its entries.
pub(super) fn edit(bytes: &[u8], edit: impl FnOnce(&mut Vec<(Value, Value)>)) -> Vec<u8> {
    let mut map = cbor::decode::<Raw>(bytes).unwrap().0.into_map().unwrap();
    edit(&mut map);
    cbor::encode(&Raw(Value::Map(map)))
}
