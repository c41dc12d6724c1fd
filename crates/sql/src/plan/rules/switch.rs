//! Which rules a session wants applied.
//!
//! Each rule has a name and can be turned off by `SET optimizer_disabled_rules = 'push_filters,join_order'`: a plan
//! made without a rule gives the same rows, only slower, and tests compare the two. Some can be turned off by a flag
//! of MySQL's `optimizer_switch` as well ([`crate::variables::OptimizerSwitch`]).
//!
//! `point_executor` is among them: without it every statement goes the general way.
//!
//! A new rule gets a line in the list below and asks [`RuleSet::has`] where [`super::improve`] would apply it.

use crate::error::SqlError;

/// The name of the variable.
const VARIABLE: &str = "optimizer_disabled_rules";

/// A set of rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RuleSet(u64);

macro_rules! rules {
    ($($rule:ident $name:literal;)*) => {
        /// A rule that can be turned off.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[allow(missing_docs, reason = "each is the rule of its name")]
        pub enum Rule { $($rule),* }

        /// The rules by the names that the variable takes.
        const NAMES: &[(&str, Rule)] = &[$(($name, Rule::$rule)),*];
    };
}

rules! {
    LiftProjections "lift_projections";
    MergeDerived "merge_derived";
    Decorrelate "decorrelate";
    FoldConditions "fold_conditions";
    FoldConstants "fold_constants";
    FactorOr "factor_or";
    InferConditions "infer_conditions";
    PushIntoDerived "push_into_derived";
    SemiToInner "semi_to_inner";
    Unneeded "unneeded";
    PushTop "push_top";
    PushFilters "push_filters";
    JoinOrder "join_order";
    JoinKeys "join_keys";
    AccessPath "access_path";
    PruneColumns "prune_columns";
    IndexOrder "index_order";
    MinMax "min_max";
    SortDistinct "sort_distinct";
    PointExecutor "point_executor";
    IndexMerge "index_merge";
    SkipScan "skip_scan";
    LooseScan "loose_scan";
}

impl Default for RuleSet {
    fn default() -> RuleSet {
        RuleSet::ALL
    }
}

impl RuleSet {
    /// All of them.
    pub const ALL: RuleSet = RuleSet(u64::MAX);

    /// None of them.
    #[cfg(test)]
    pub const NONE: RuleSet = RuleSet(0);

    /// Whether a rule is to be applied.
    pub const fn has(self, rule: Rule) -> bool {
        self.0 & (1 << rule as u64) != 0
    }

    /// Without one.
    #[must_use]
    pub const fn without(self, rule: Rule) -> RuleSet {
        RuleSet(self.0 & !(1 << rule as u64))
    }

    /// What is in both.
    #[must_use]
    pub const fn and(self, other: RuleSet) -> RuleSet {
        RuleSet(self.0 & other.0)
    }

    /// The bits, for what keeps plans by the rules they were made with.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// All but those that a list names; 1231 if one is none.
    pub fn all_but(list: &str) -> Result<RuleSet, SqlError> {
        let mut set = RuleSet::ALL;
        for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let found = NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
            let (_, rule) = found.ok_or_else(|| SqlError::wrong_value_for_variable(VARIABLE, name))?;
            set = set.without(*rule);
        }
        Ok(set)
    }

    /// The list of what is not in the set.
    pub fn missing(self) -> String {
        let names = NAMES.iter().filter(|(_, rule)| !self.has(*rule)).map(|(name, _)| *name);
        names.collect::<Vec<_>>().join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_names_turns_rules_off() {
        let set = RuleSet::all_but(" join_order, MIN_MAX,").unwrap();
        assert!(!set.has(Rule::JoinOrder) && !set.has(Rule::MinMax) && set.has(Rule::JoinKeys));
        assert_eq!(set.missing(), "join_order,min_max");
        assert_eq!(RuleSet::all_but("").unwrap(), RuleSet::ALL);
        assert_eq!(RuleSet::all_but("join_order,nothing").unwrap_err().code, 1231);
    }
}
