//! From typed values to CBOR values and back.

use std::{collections::BTreeMap, fmt, ops::Deref};

use bytes::Bytes;
use ciborium::Value;

use super::CborError;
use crate::{Label, LoopId, RealmPath, Timestamp};

/// First map key that a reader may ignore when it does not know it.
const IGNORABLE: u64 = 64;

/// A type with one CBOR form.
pub trait Wire: Sized {
    /// The value's CBOR form.
    fn to_value(&self) -> Value;

    /// Reads the value.
    ///
    /// # Errors
    /// [`CborError`] when the CBOR has another shape.
    fn from_value(value: Value) -> Result<Self, CborError>;

    /// The form inside a map; none leaves the key out.
    fn to_field(&self) -> Option<Value> {
        Some(self.to_value())
    }

    /// Reads the value of `key`, which may be absent.
    ///
    /// # Errors
    /// [`CborError::Missing`] where the key is required.
    fn from_field(value: Option<Value>, key: u64) -> Result<Self, CborError> {
        Self::from_value(value.ok_or(CborError::Missing(key))?)
    }
}

/// Writes a map with integer keys in ascending order.
#[derive(Debug, Default)]
pub struct MapWriter(Vec<(Value, Value)>);

impl MapWriter {
    /// Adds a key; keys are added in ascending order.
    pub fn put<T: Wire>(&mut self, key: u64, value: &T) {
        if let Some(value) = value.to_field() {
            self.0.push((Value::from(key), value));
        }
    }

    /// The finished map.
    pub fn finish(self) -> Value {
        Value::Map(self.0)
    }
}

/// Reads a map with integer keys.
#[derive(Debug)]
pub struct MapReader(BTreeMap<u64, Value>);

impl MapReader {
    /// Takes the map apart.
    ///
    /// # Errors
    /// [`CborError::Expected`] if it is no map with unsigned keys.
    pub fn new(value: Value) -> Result<Self, CborError> {
        let entries = value.into_map().map_err(|_| CborError::Expected("a map"))?;
        let keyed = entries
            .into_iter()
            .map(|(key, value)| u64::from_value(key).map(|key| (key, value)));
        keyed.collect::<Result<_, _>>().map(Self)
    }

    /// Takes the value of `key` out.
    ///
    /// # Errors
    /// As [`Wire::from_field`].
    pub fn take<T: Wire>(&mut self, key: u64) -> Result<T, CborError> {
        T::from_field(self.0.remove(&key), key)
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// [`CborError::Unknown`] for a key left over that may not be ignored.
    pub fn finish(self) -> Result<(), CborError> {
        match self.0.first_key_value() {
            Some((key, _)) if *key < IGNORABLE => Err(CborError::Unknown(*key)),
            _ => Ok(()),
        }
    }
}

/// Declares a struct whose CBOR form is a map with the integer keys given, in ascending order.
#[macro_export]
macro_rules! wire_map {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $( $(#[$field_meta:meta])* $key:literal => $field:ident: $type:ty ),* $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name {
            $( $(#[$field_meta])* pub $field: $type, )*
        }

        impl $crate::cbor::Wire for $name {
            fn to_value(&self) -> $crate::cbor::Value {
                let mut map = $crate::cbor::MapWriter::default();
                $( map.put($key, &self.$field); )*
                map.finish()
            }

            fn from_value(value: $crate::cbor::Value) -> Result<Self, $crate::cbor::CborError> {
                let mut map = $crate::cbor::MapReader::new(value)?;
                let read = Self { $( $field: map.take($key)?, )* };
                map.finish()?;
                Ok(read)
            }
        }
    };
}

/// Declares an enum whose CBOR form is the number of its variant.
macro_rules! numbered {
    ($(#[$meta:meta])* $name:ident ($what:literal) { $( $(#[$doc:meta])* $variant:ident = $number:literal, )* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $( $(#[$doc])* $variant = $number, )* }

        impl $name {
            /// Every variant, in the order of their numbers.
            pub const ALL: &[Self] = &[ $( Self::$variant, )* ];

            /// The variant's number on the wire and on disk.
            pub const fn number(self) -> u64 { self as u64 }

            /// The variant's name in the spec.
            pub const fn name(self) -> &'static str {
                match self { $( Self::$variant => stringify!($variant), )* }
            }
        }

        impl $crate::cbor::Wire for $name {
            fn to_value(&self) -> $crate::cbor::Value {
                $crate::cbor::Value::from(self.number())
            }

            fn from_value(value: $crate::cbor::Value) -> Result<Self, $crate::cbor::CborError> {
                let number = <u64 as $crate::cbor::Wire>::from_value(value)?;
                let known = Self::ALL.iter().find(|known| known.number() == number);
                known.copied().ok_or($crate::cbor::CborError::Expected($what))
            }
        }
    };
}
pub(crate) use numbered;

/// A byte string of any length; clones share their bytes.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Blob(Bytes);

impl Blob {
    /// The bytes, still shared.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }
}

impl Deref for Blob {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Blob {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

impl From<Bytes> for Blob {
    fn from(bytes: Bytes) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blob({} bytes)", self.0.len())
    }
}

impl Wire for Blob {
    fn to_value(&self) -> Value {
        Value::Bytes(self.to_vec())
    }

    fn from_value(value: Value) -> Result<Self, CborError> {
        value
            .into_bytes()
            .map(Self::from)
            .map_err(|_| CborError::Expected("a byte string"))
    }
}

impl<const N: usize> Wire for [u8; N] {
    fn to_value(&self) -> Value {
        Value::Bytes(self.to_vec())
    }

    fn from_value(value: Value) -> Result<Self, CborError> {
        let bytes = Blob::from_value(value)?;
        <[u8; N]>::try_from(&*bytes)
            .map_err(|_| CborError::Expected("a byte string of another length"))
    }
}

impl Wire for u64 {
    fn to_value(&self) -> Value {
        Value::from(*self)
    }

    fn from_value(value: Value) -> Result<Self, CborError> {
        let integer = value
            .into_integer()
            .map_err(|_| CborError::Expected("an integer"))?;
        integer
            .try_into()
            .map_err(|_| CborError::Expected("an unsigned integer"))
    }
}

impl Wire for bool {
    fn to_value(&self) -> Value {
        Value::Bool(*self)
    }

    fn from_value(value: Value) -> Result<Self, CborError> {
        value
            .into_bool()
            .map_err(|_| CborError::Expected("true or false"))
    }
}

impl Wire for String {
    fn to_value(&self) -> Value {
        Value::Text(self.clone())
    }

    fn from_value(value: Value) -> Result<Self, CborError> {
        value.into_text().map_err(|_| CborError::Expected("text"))
    }
}

impl Wire for Timestamp {
    fn to_value(&self) -> Value {
        Value::from(self.as_millis())
    }

    fn from_value(value: Value) -> Result<Self, CborError> {
        u64::from_value(value).map(Self::from_millis)
    }
}

macro_rules! wire_text {
    ($($name:ident => $what:literal),*) => {$(
        impl Wire for $name {
            fn to_value(&self) -> Value {
                Value::Text(self.to_string())
            }

            fn from_value(value: Value) -> Result<Self, CborError> {
                String::from_value(value)?.parse().map_err(|_| CborError::Expected($what))
            }
        }
    )*};
}
wire_text!(Label => "a label", RealmPath => "a realm path", LoopId => "a loop id");

impl<T: Wire> Wire for Vec<T> {
    fn to_value(&self) -> Value {
        Value::Array(self.iter().map(Wire::to_value).collect())
    }

    fn from_value(value: Value) -> Result<Self, CborError> {
        let items = value
            .into_array()
            .map_err(|_| CborError::Expected("an array"))?;
        items.into_iter().map(T::from_value).collect()
    }
}

impl<T: Wire> Wire for Option<T> {
    fn to_value(&self) -> Value {
        self.as_ref().map_or(Value::Null, Wire::to_value)
    }

    fn from_value(value: Value) -> Result<Self, CborError> {
        if value.is_null() {
            Ok(None)
        } else {
            T::from_value(value).map(Some)
        }
    }

    fn to_field(&self) -> Option<Value> {
        self.as_ref().map(Wire::to_value)
    }

    fn from_field(value: Option<Value>, _key: u64) -> Result<Self, CborError> {
        value.map(T::from_value).transpose()
    }
}
