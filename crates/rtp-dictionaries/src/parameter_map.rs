//! The `parameters` member of codecs and header extensions: names to strings, numbers or null, in the order
//! given. Knows nothing of what any name means.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Number;
use smallvec::SmallVec;

/// A value of a [`ParameterMap`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(untagged)]
pub enum ParameterValue {
    /// A text, such as `42e01f`.
    String(Box<str>),
    /// A number, such as an associated payload type.
    Number(Number),
    /// Present without a value.
    Null,
}

impl ParameterValue {
    /// The value as an unsigned number: a whole number, or decimal digits in a text.
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Self::Number(number) => number.as_u64(),
            Self::String(text) => text.parse().ok(),
            Self::Null => None,
        }
    }

    /// The value as it would stand in an SDP `fmtp` line; `None` for null.
    ///
    /// SDP parsers turn digits into numbers, so a `profile-level-id` of `640032` arrives as one.
    pub fn to_text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::String(text) => Some(Cow::Borrowed(text)),
            Self::Number(number) => Some(Cow::Owned(number.to_string())),
            Self::Null => None,
        }
    }
}

impl From<&str> for ParameterValue {
    fn from(text: &str) -> Self {
        Self::String(text.into())
    }
}

impl From<String> for ParameterValue {
    fn from(text: String) -> Self {
        Self::String(text.into())
    }
}

impl From<u64> for ParameterValue {
    fn from(number: u64) -> Self {
        Self::Number(number.into())
    }
}

struct ValueVisitor;

impl Visitor<'_> for ValueVisitor {
    type Value = ParameterValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, a number or null")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<ParameterValue, E> {
        Ok(text.into())
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<ParameterValue, E> {
        Ok(number.into())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<ParameterValue, E> {
        Ok(ParameterValue::Number(number.into()))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<ParameterValue, E> {
        Number::from_f64(number).map(ParameterValue::Number).ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_unit<E: de::Error>(self) -> Result<ParameterValue, E> {
        Ok(ParameterValue::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<ParameterValue, E> {
        Ok(ParameterValue::Null)
    }
}

impl<'de> Deserialize<'de> for ParameterValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

/// Codec or header extension parameters. Keeps the order in which names were first inserted; two maps are
/// equal when they hold the same entries in any order.
///
/// A map read from JSON holds at most [`ParameterMap::MAX_LEN`] names; more is an error.
#[derive(Clone, Default)]
pub struct ParameterMap {
    entries: SmallVec<[(Box<str>, ParameterValue); 2]>,
}

impl ParameterMap {
    /// How many names a map read from JSON may hold.
    pub const MAX_LEN: usize = 64;

    /// An empty map.
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of `name`; names are compared exactly.
    pub fn get(&self, name: &str) -> Option<&ParameterValue> {
        self.entries.iter().find(|(n, _)| &**n == name).map(|(_, value)| value)
    }

    /// The value of `name` as an unsigned number, if it is one.
    pub fn get_u64(&self, name: &str) -> Option<u64> {
        self.get(name).and_then(ParameterValue::as_u64)
    }

    /// Sets `name`, in place if it is there already.
    pub fn insert(&mut self, name: impl Into<Box<str>>, value: impl Into<ParameterValue>) {
        let (name, value) = (name.into(), value.into());
        match self.entries.iter_mut().find(|(n, _)| *n == name) {
            Some(entry) => entry.1 = value,
            None => self.entries.push((name, value)),
        }
    }

    /// Sets every entry of `other`, which wins over what is here.
    pub fn merge(&mut self, other: &Self) {
        for (name, value) in other.iter() {
            self.insert(name, value.clone());
        }
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &ParameterValue)> {
        self.entries.iter().map(|(name, value)| (&**name, value))
    }

    /// The number of names.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True without any name.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl PartialEq for ParameterMap {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().all(|(name, value)| other.get(name) == Some(value))
    }
}

impl Eq for ParameterMap {}

impl fmt::Debug for ParameterMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<N: Into<Box<str>>, V: Into<ParameterValue>> FromIterator<(N, V)> for ParameterMap {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(entries: I) -> Self {
        let mut map = Self::new();
        for (name, value) in entries {
            map.insert(name, value);
        }
        map
    }
}

impl Serialize for ParameterMap {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

struct MapVisitor;

impl<'de> Visitor<'de> for MapVisitor {
    type Value = ParameterMap;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of strings, numbers and nulls")
    }

    fn visit_unit<E: de::Error>(self) -> Result<ParameterMap, E> {
        Ok(ParameterMap::new())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<ParameterMap, A::Error> {
        let mut map = ParameterMap::new();
        while let Some((name, value)) = access.next_entry::<String, ParameterValue>()? {
            map.insert(name, value);
            if map.len() > ParameterMap::MAX_LEN {
                return Err(de::Error::custom(format_args!(
                    "more than {} parameters",
                    ParameterMap::MAX_LEN
                )));
            }
        }
        Ok(map)
    }
}

impl<'de> Deserialize<'de> for ParameterMap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MapVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_order_and_overwrites_in_place() {
        let json = r#"{"b":1,"a":"x","c":null,"b":-2.5}"#;
        let map: ParameterMap = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&map).unwrap(), r#"{"b":-2.5,"a":"x","c":null}"#);
    }

    #[test]
    fn refuses_other_values_and_too_many_names() {
        for json in [r#"{"a":true}"#, r#"{"a":[]}"#, r#"{"a":{}}"#, "[]", "3"] {
            assert!(serde_json::from_str::<ParameterMap>(json).is_err(), "{json}");
        }
        let many: Vec<String> = (0..=ParameterMap::MAX_LEN).map(|i| format!(r#""{i}":0"#)).collect();
        assert!(serde_json::from_str::<ParameterMap>(&format!("{{{}}}", many.join(","))).is_err());
    }

    #[test]
    fn numbers_and_digits_read_alike() {
        let map: ParameterMap = serde_json::from_str(r#"{"a":42,"b":"42","c":-1,"d":"x","e":4.5}"#).unwrap();
        assert_eq!((map.get_u64("a"), map.get_u64("b")), (Some(42), Some(42)));
        assert_eq!((map.get_u64("c"), map.get_u64("d"), map.get_u64("e")), (None, None, None));
        assert_eq!(map.get("a").unwrap().to_text().unwrap(), "42");
    }
}
