//! Rust values for the question marks of a statement.
//!
//! Values travel beside the text and never inside it, so no value can change what a statement means.

use rustydb_value::{Date, DateTime, Decimal, Time, Value};

/// A type that can stand for a question mark.
pub trait ToValue {
    /// The SQL value.
    fn to_value(&self) -> Value;
}

macro_rules! to_value {
    ($($ty:ty => |$value:ident| $make:expr),* $(,)?) => {$(
        impl ToValue for $ty {
            fn to_value(&self) -> Value {
                let $value = self;
                $make
            }
        }
    )*};
}

to_value! {
    i8 => |n| Value::Int(i64::from(*n)),
    i16 => |n| Value::Int(i64::from(*n)),
    i32 => |n| Value::Int(i64::from(*n)),
    i64 => |n| Value::Int(*n),
    u8 => |n| Value::UInt(u64::from(*n)),
    u16 => |n| Value::UInt(u64::from(*n)),
    u32 => |n| Value::UInt(u64::from(*n)),
    u64 => |n| Value::UInt(*n),
    usize => |n| Value::UInt(*n as u64),
    f32 => |x| Value::Float(*x),
    f64 => |x| Value::Double(*x),
    bool => |on| Value::Int(i64::from(*on)),
    str => |text| Value::Text(text.to_owned()),
    String => |text| Value::Text(text.clone()),
    [u8] => |bytes| Value::Bytes(bytes.to_owned()),
    Vec<u8> => |bytes| Value::Bytes(bytes.clone()),
    Decimal => |decimal| Value::Decimal(*decimal),
    Date => |date| Value::Date(*date),
    Time => |time| Value::Time(*time),
    DateTime => |moment| Value::DateTime(*moment),
    Value => |value| value.clone(),
}

impl<T: ToValue + ?Sized> ToValue for &T {
    fn to_value(&self) -> Value {
        T::to_value(self)
    }
}

impl<T: ToValue> ToValue for Option<T> {
    fn to_value(&self) -> Value {
        self.as_ref().map_or(Value::Null, T::to_value)
    }
}

/// The values for all question marks of a statement, in order: `()`, a tuple, an array, a slice or a Vec.
pub trait Parameters {
    /// The SQL values.
    fn to_values(&self) -> Vec<Value>;
}

impl Parameters for () {
    fn to_values(&self) -> Vec<Value> {
        Vec::new()
    }
}

impl<T: ToValue> Parameters for [T] {
    fn to_values(&self) -> Vec<Value> {
        self.iter().map(ToValue::to_value).collect()
    }
}

impl<T: ToValue> Parameters for Vec<T> {
    fn to_values(&self) -> Vec<Value> {
        self.as_slice().to_values()
    }
}

impl<T: ToValue, const N: usize> Parameters for [T; N] {
    fn to_values(&self) -> Vec<Value> {
        self.as_slice().to_values()
    }
}

impl<P: Parameters + ?Sized> Parameters for &P {
    fn to_values(&self) -> Vec<Value> {
        P::to_values(self)
    }
}

macro_rules! tuples {
    ($($name:ident)*) => {
        impl<$($name: ToValue),*> Parameters for ($($name,)*) {
            #[allow(non_snake_case, reason = "one letter is type and value")]
            fn to_values(&self) -> Vec<Value> {
                let ($($name,)*) = self;
                vec![$($name.to_value()),*]
            }
        }
    };
}

tuples!(A);
tuples!(A B);
tuples!(A B C);
tuples!(A B C D);
tuples!(A B C D E);
tuples!(A B C D E F);
tuples!(A B C D E F G);
tuples!(A B C D E F G H);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_gives_its_values_in_order() {
        let expected = vec![Value::Int(1), Value::Int(2)];
        assert_eq!((1i64, 2i32).to_values(), expected);
        assert_eq!([1i8, 2].to_values(), expected);
        assert_eq!(vec![1i16, 2].to_values(), expected);
        assert_eq!(().to_values(), []);
        assert_eq!((None::<i64>, Some("a")).to_values(), [Value::Null, Value::Text("a".into())]);
    }
}
