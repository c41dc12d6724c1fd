//! Who may be in an answer, by metadata.

use std::collections::BTreeMap;

/// What is known of an embedding besides its vector.
pub type Metadata = BTreeMap<String, String>;

/// A condition on metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Filter {
    /// Everybody
    Any,
    /// The field has this value
    Equals(String, String),
    /// The field has one of these values
    OneOf(String, Vec<String>),
    /// The field is there
    Has(String),
    /// All of them hold
    All(Vec<Filter>),
    /// One of them holds
    Either(Vec<Filter>),
    /// It does not hold
    Not(Box<Filter>),
}

impl Filter {
    /// The field has this value.
    pub fn equals(field: impl Into<String>, value: impl Into<String>) -> Filter {
        Filter::Equals(field.into(), value.into())
    }

    /// Whether it holds.
    pub fn holds(&self, metadata: &Metadata) -> bool {
        match self {
            Filter::Any => true,
            Filter::Equals(field, value) => metadata.get(field) == Some(value),
            Filter::OneOf(field, values) => metadata.get(field).is_some_and(|found| values.contains(found)),
            Filter::Has(field) => metadata.contains_key(field),
            Filter::All(filters) => filters.iter().all(|filter| filter.holds(metadata)),
            Filter::Either(filters) => filters.iter().any(|filter| filter.holds(metadata)),
            Filter::Not(filter) => !filter.holds(metadata),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_combine() {
        let metadata = Metadata::from([("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2".to_owned())]);
        let a1 = Filter::equals("a", "1");
        let b1 = Filter::equals("b", "1");
        assert!(a1.holds(&metadata) && !b1.holds(&metadata) && Filter::Any.holds(&metadata));
        assert!(Filter::OneOf("b".to_owned(), vec!["1".to_owned(), "2".to_owned()]).holds(&metadata));
        assert!(
            Filter::Has("b".to_owned()).holds(&metadata) && !Filter::Has("c".to_owned()).holds(&metadata)
        );
        assert!(!Filter::All(vec![a1.clone(), b1.clone()]).holds(&metadata));
        assert!(
            Filter::Either(vec![a1, b1.clone()]).holds(&metadata)
                && Filter::Not(Box::new(b1)).holds(&metadata)
        );
    }
}
