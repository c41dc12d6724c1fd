//! `optimizer_switch`: MySQL's flags for its optimizer.
//!
//! All flags of MySQL 9.7 can be set and read, since programs set them around their queries. The table below says
//! which of them this planner obeys; the others name strategies that it does not choose between (how keys are read
//! in batches, how MySQL's storage engines are told of conditions), and never change a result.
//! `docs/planning.md` lists both.

use crate::error::SqlError;
use crate::plan::rules::{Rule, RuleSet};

/// The name of the variable.
const VARIABLE: &str = "optimizer_switch";

/// Which flags are on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OptimizerSwitch(u32);

macro_rules! flags {
    ($($constant:ident $text:literal $bit:literal $on:literal;)*) => {
        impl OptimizerSwitch {
            $(#[doc = concat!("`", $text, "`")]
            pub const $constant: OptimizerSwitch = OptimizerSwitch(1 << $bit);)*
        }
        /// Name, bit and whether it is on at first, in MySQL's order.
        const FLAGS: &[(&str, u32, bool)] = &[$(($text, 1 << $bit, $on)),*];
    };
}

flags! {
    INDEX_MERGE "index_merge" 0 true;
    INDEX_MERGE_UNION "index_merge_union" 1 true;
    INDEX_MERGE_SORT_UNION "index_merge_sort_union" 2 true;
    INDEX_MERGE_INTERSECTION "index_merge_intersection" 3 true;
    ENGINE_CONDITION_PUSHDOWN "engine_condition_pushdown" 4 true;
    INDEX_CONDITION_PUSHDOWN "index_condition_pushdown" 5 true;
    MRR "mrr" 6 true;
    MRR_COST_BASED "mrr_cost_based" 7 true;
    BLOCK_NESTED_LOOP "block_nested_loop" 8 true;
    BATCHED_KEY_ACCESS "batched_key_access" 9 false;
    MATERIALIZATION "materialization" 10 true;
    SEMIJOIN "semijoin" 11 true;
    LOOSESCAN "loosescan" 12 true;
    FIRSTMATCH "firstmatch" 13 true;
    DUPLICATEWEEDOUT "duplicateweedout" 14 true;
    SUBQUERY_MATERIALIZATION_COST_BASED "subquery_materialization_cost_based" 15 true;
    USE_INDEX_EXTENSIONS "use_index_extensions" 16 true;
    CONDITION_FANOUT_FILTER "condition_fanout_filter" 17 true;
    DERIVED_MERGE "derived_merge" 18 true;
    USE_INVISIBLE_INDEXES "use_invisible_indexes" 19 false;
    SKIP_SCAN "skip_scan" 20 true;
    HASH_JOIN "hash_join" 21 true;
    SUBQUERY_TO_DERIVED "subquery_to_derived" 22 false;
    PREFER_ORDERING_INDEX "prefer_ordering_index" 23 true;
    HYPERGRAPH_OPTIMIZER "hypergraph_optimizer" 24 false;
    DERIVED_CONDITION_PUSHDOWN "derived_condition_pushdown" 25 true;
    HASH_SET_OPERATIONS "hash_set_operations" 26 true;
}

/// The value that a variable begins with.
pub const DEFAULT_TEXT: &str = "index_merge=on,index_merge_union=on,index_merge_sort_union=on,\
    index_merge_intersection=on,engine_condition_pushdown=on,index_condition_pushdown=on,mrr=on,\
    mrr_cost_based=on,block_nested_loop=on,batched_key_access=off,materialization=on,semijoin=on,loosescan=on,\
    firstmatch=on,duplicateweedout=on,subquery_materialization_cost_based=on,use_index_extensions=on,\
    condition_fanout_filter=on,derived_merge=on,use_invisible_indexes=off,skip_scan=on,hash_join=on,\
    subquery_to_derived=off,prefer_ordering_index=on,hypergraph_optimizer=off,derived_condition_pushdown=on,\
    hash_set_operations=on";

impl Default for OptimizerSwitch {
    fn default() -> OptimizerSwitch {
        OptimizerSwitch(FLAGS.iter().filter(|flag| flag.2).fold(0, |all, flag| all | flag.1))
    }
}

impl OptimizerSwitch {
    /// Whether a flag is on.
    pub const fn has(self, flag: OptimizerSwitch) -> bool {
        self.0 & flag.0 == flag.0
    }

    /// The bits, by MySQL's order of flags.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// This with the assignments of a list: `flag=on`, `flag=off`, `flag=default`, and `default` for all that the
    /// list does not name. A flag may be named once.
    pub fn assigned(self, list: &str) -> Result<OptimizerSwitch, SqlError> {
        let (mut on, mut named, mut reset) = (self.0, 0, false);
        if list.is_empty() {
            return Ok(self);
        }
        let defaults = OptimizerSwitch::default().0;
        for part in list.split(',') {
            let wrong = || SqlError::wrong_value_for_variable(VARIABLE, part);
            if part.eq_ignore_ascii_case("default") {
                reset = true;
                continue;
            }
            let (name, value) = part.split_once('=').ok_or_else(wrong)?;
            let flag = FLAGS.iter().find(|flag| flag.0.eq_ignore_ascii_case(name));
            let bit = flag.map(|flag| flag.1).filter(|bit| named & bit == 0).ok_or_else(wrong)?;
            named |= bit;
            on &= !bit;
            if value.eq_ignore_ascii_case("on") {
                on |= bit;
            } else if value.eq_ignore_ascii_case("default") {
                on |= defaults & bit;
            } else if !value.eq_ignore_ascii_case("off") {
                return Err(wrong());
            }
        }
        if reset {
            on = on & named | defaults & !named;
        }
        Ok(OptimizerSwitch(on))
    }

    /// The numeric form.
    pub fn from_bits(bits: u64) -> Result<OptimizerSwitch, SqlError> {
        let all = FLAGS.iter().fold(0, |all, flag| all | flag.1);
        match u32::try_from(bits) {
            Ok(bits) if bits & !all == 0 => Ok(OptimizerSwitch(bits)),
            _ => Err(SqlError::wrong_value_for_variable(VARIABLE, bits)),
        }
    }

    /// As the variable shows it.
    pub fn text(self) -> String {
        let parts = FLAGS.iter().map(|(name, bit, _)| {
            let value = if self.0 & bit != 0 { "on" } else { "off" };
            format!("{name}={value}")
        });
        parts.collect::<Vec<_>>().join(",")
    }

    /// The rules that its flags leave on.
    pub fn rules(self) -> RuleSet {
        let mut rules = RuleSet::ALL;
        let obeyed = [
            (OptimizerSwitch::PREFER_ORDERING_INDEX, Rule::IndexOrder),
            (OptimizerSwitch::DERIVED_MERGE, Rule::MergeDerived),
            (OptimizerSwitch::DERIVED_CONDITION_PUSHDOWN, Rule::PushIntoDerived),
        ];
        for (flag, rule) in obeyed {
            if !self.has(flag) {
                rules = rules.without(rule);
            }
        }
        if !self.has(OptimizerSwitch::SEMIJOIN) {
            rules = rules.without(Rule::Decorrelate);
        }
        if !self.has(OptimizerSwitch::DERIVED_MERGE) {
            rules = rules.without(Rule::MergeDerived);
        }
        if !self.has(OptimizerSwitch::DERIVED_CONDITION_PUSHDOWN) {
            rules = rules.without(Rule::PushIntoDerived);
        }
        rules
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_reads_as_mysqls() {
        assert_eq!(OptimizerSwitch::default().text(), DEFAULT_TEXT);
        let same = OptimizerSwitch(0).assigned(DEFAULT_TEXT).unwrap();
        assert_eq!(same, OptimizerSwitch::default());
    }

    #[test]
    fn lists_change_what_they_name() {
        let start = OptimizerSwitch::default();
        let off = start.assigned("INDEX_MERGE=OFF,mrr=off").unwrap();
        assert!(!off.has(OptimizerSwitch::INDEX_MERGE) && !off.has(OptimizerSwitch::MRR));
        assert_eq!(off.assigned("index_merge=default,mrr=on").unwrap(), start);
        assert_eq!(off.assigned("default").unwrap(), start);
        assert_eq!(off.assigned("").unwrap(), off);
        let one = off.assigned("index_merge=off,default").unwrap();
        assert!(!one.has(OptimizerSwitch::INDEX_MERGE) && one.has(OptimizerSwitch::MRR));
        assert_eq!(OptimizerSwitch::from_bits(3).unwrap().bits(), 3);
        assert_eq!(OptimizerSwitch::from_bits(1 << 27).unwrap_err().code, 1231);
    }

    #[test]
    fn what_it_does_not_know_is_refused() {
        for list in ["foo=on", "mrr=maybe", "mrr=on,mrr=off", " mrr=on", "mrr=on,", "mrr"] {
            assert_eq!(OptimizerSwitch::default().assigned(list).unwrap_err().code, 1231, "{list}");
        }
    }
}
