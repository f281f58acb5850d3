//! Types with one CBOR form.

use std::sync::Arc;

use super::{CborError, Reader, Writer};
use crate::{Label, LoopId, RealmPath, Timestamp};

/// A type with one CBOR form.
pub trait Wire: Sized {
    /// Writes the value.
    fn write(&self, out: &mut Writer);

    /// Reads the value.
    ///
    /// # Errors
    /// [`CborError`] when the CBOR has another shape.
    fn read(from: &mut Reader<'_>) -> Result<Self, CborError>;

    /// Whether a map has a key for the value.
    fn is_present(&self) -> bool {
        true
    }

    /// The value where its key is absent from a map.
    ///
    /// # Errors
    /// [`CborError::Missing`] where the key is required.
    fn absent(key: u64) -> Result<Self, CborError> {
        Err(CborError::Missing(key))
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
            fn write(&self, out: &mut $crate::cbor::Writer) {
                out.map(&[$( $crate::cbor::Wire::is_present(&self.$field) ),*]);
                $( out.field($key, &self.$field); )*
            }

            fn read(from: &mut $crate::cbor::Reader<'_>) -> Result<Self, $crate::cbor::CborError> {
                let mut map = from.map()?;
                let read = Self { $( $field: map.take($key)?, )* };
                map.finish()?;
                Ok(read)
            }
        }
    };
}

/// Declares an enum whose CBOR form is the number of its variant.
#[macro_export]
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
            fn write(&self, out: &mut $crate::cbor::Writer) {
                out.uint(self.number());
            }

            fn read(from: &mut $crate::cbor::Reader<'_>) -> Result<Self, $crate::cbor::CborError> {
                match from.uint()? {
                    $( $number => Ok(Self::$variant), )*
                    _ => Err($crate::cbor::CborError::Expected($what)),
                }
            }
        }
    };
}
pub(crate) use numbered;

impl<const N: usize> Wire for [u8; N] {
    fn write(&self, out: &mut Writer) {
        out.bytes(self);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, CborError> {
        let bytes = from.bytes()?;
        bytes
            .try_into()
            .map_err(|_| CborError::Expected("a byte string of another length"))
    }
}

impl Wire for u64 {
    fn write(&self, out: &mut Writer) {
        out.uint(*self);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, CborError> {
        from.uint()
    }
}

impl Wire for bool {
    fn write(&self, out: &mut Writer) {
        out.bool(*self);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, CborError> {
        from.bool()
    }
}

impl Wire for String {
    fn write(&self, out: &mut Writer) {
        out.text(self);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, CborError> {
        from.text().map(str::to_owned)
    }
}

impl Wire for Timestamp {
    fn write(&self, out: &mut Writer) {
        out.uint(self.as_millis());
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, CborError> {
        from.uint().map(Self::from_millis)
    }
}

macro_rules! wire_text {
    ($($name:ident => $what:literal),*) => {$(
        impl Wire for $name {
            fn write(&self, out: &mut Writer) {
                out.text(self.as_str());
            }

            fn read(from: &mut Reader<'_>) -> Result<Self, CborError> {
                from.text()?.parse().map_err(|_| CborError::Expected($what))
            }
        }
    )*};
}
wire_text!(Label => "a label", RealmPath => "a realm path", LoopId => "a loop id");

impl<T: Wire> Wire for Vec<T> {
    fn write(&self, out: &mut Writer) {
        out.array(self.len());
        for item in self {
            item.write(out);
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, CborError> {
        let items = from.array("an array")?;
        (0..items).map(|_| T::read(from)).collect()
    }
}

impl<T: Wire> Wire for Option<T> {
    fn write(&self, out: &mut Writer) {
        match self {
            Some(value) => value.write(out),
            None => out.null(),
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, CborError> {
        T::read(from).map(Some)
    }

    fn is_present(&self) -> bool {
        self.is_some()
    }

    fn absent(_key: u64) -> Result<Self, CborError> {
        Ok(None)
    }
}

impl<T: Wire> Wire for Arc<T> {
    fn write(&self, out: &mut Writer) {
        T::write(self, out);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, CborError> {
        T::read(from).map(Self::new)
    }

    fn is_present(&self) -> bool {
        T::is_present(self)
    }

    fn absent(key: u64) -> Result<Self, CborError> {
        T::absent(key).map(Self::new)
    }
}
