//! PARTITION BY and the definitions of partitions.

use super::{Parser, Result};
use crate::ast::*;
use crate::keyword::Keyword as K;
use crate::token::Tok;

impl Parser<'_> {
    /// At PARTITION: `PARTITION BY ..`.
    #[inline(never)]
    pub(super) fn partitioning(&mut self) -> Result<Partitioning> {
        self.need_kws(&[K::Partition, K::By])?;
        let method = match self.hash_or_key()? {
            Some(method) => method,
            None => self.range_or_list()?,
        };
        let count = if self.eat_kw(K::Partitions) { Some(self.number()?) } else { None };
        let mut subpartitioning = None;
        if self.eat_kws(K::Subpartition, &[K::By])? {
            let Some(method) = self.hash_or_key()? else { return self.fail() };
            let count = if self.eat_kw(K::Subpartitions) { Some(self.number()?) } else { None };
            subpartitioning = Some(Subpartitioning { method, count });
        }
        let partitions = if self.at(Tok::LeftParen) { self.partition_definitions()? } else { Vec::new() };
        Ok(Partitioning { method, count, subpartitioning, partitions })
    }

    fn hash_or_key(&mut self) -> Result<Option<PartitionMethod>> {
        let linear = self.eat_kw(K::Linear);
        if self.eat_kw(K::Hash) {
            let expr = self.partition_expr()?;
            return Ok(Some(PartitionMethod::Hash { linear, expr }));
        }
        if self.eat_kw(K::Key) {
            let mut algorithm = None;
            if self.eat_kw(K::Algorithm) {
                self.need(Tok::Equal)?;
                algorithm = Some(self.number()?);
            }
            self.need(Tok::LeftParen)?;
            let columns = if self.at(Tok::RightParen) { vec![] } else { self.comma_list(Self::ident)? };
            self.need(Tok::RightParen)?;
            return Ok(Some(PartitionMethod::Key { linear, algorithm, columns }));
        }
        if linear { self.fail() } else { Ok(None) }
    }

    fn range_or_list(&mut self) -> Result<PartitionMethod> {
        let range = self.eat_kw(K::Range);
        if !range {
            self.need_kw(K::List)?;
        }
        if self.eat_kw(K::Columns) {
            let columns = self.paren_idents()?;
            return Ok(if range {
                PartitionMethod::RangeColumns(columns)
            } else {
                PartitionMethod::ListColumns(columns)
            });
        }
        let expr = self.partition_expr()?;
        Ok(if range { PartitionMethod::Range(expr) } else { PartitionMethod::List(expr) })
    }

    fn partition_expr(&mut self) -> Result<Expr> {
        self.need(Tok::LeftParen)?;
        let expr = self.bit_expr(0)?;
        self.need(Tok::RightParen)?;
        Ok(expr)
    }

    /// `(PARTITION .., PARTITION ..)`.
    pub(super) fn partition_definitions(&mut self) -> Result<Vec<PartitionDefinition>> {
        self.paren_list(Self::partition_definition)
    }

    fn partition_definition(&mut self) -> Result<PartitionDefinition> {
        self.need_kw(K::Partition)?;
        let name = self.ident()?;
        let values = self.partition_values()?;
        let options = self.partition_options()?;
        let mut subpartitions = Vec::new();
        if self.at(Tok::LeftParen) {
            subpartitions = self.paren_list(|p| {
                p.need_kw(K::Subpartition)?;
                let name = p.ident_or_text()?;
                Ok(SubpartitionDefinition { name, options: p.partition_options()? })
            })?;
        }
        Ok(PartitionDefinition { name, values, options, subpartitions })
    }

    fn partition_values(&mut self) -> Result<PartitionValues> {
        if !self.eat_kw(K::Values) {
            return Ok(PartitionValues::None);
        }
        if self.eat_kws(K::Less, &[K::Than])? {
            if self.eat_kw(K::Maxvalue) {
                return Ok(PartitionValues::LessThanMaxValue);
            }
            return self.paren_list(Self::partition_value).map(PartitionValues::LessThan);
        }
        self.need_kw(K::In)?;
        // All are rows or none is; the first one tells.
        let rows_of_several = self.peek() == Tok::LeftParen;
        let rows = self.paren_list(|p| {
            if rows_of_several {
                return p.paren_list(Self::partition_value);
            }
            Ok(vec![p.partition_value()?])
        })?;
        Ok(PartitionValues::In(rows))
    }

    fn partition_value(&mut self) -> Result<PartitionValue> {
        if self.eat_kw(K::Maxvalue) {
            return Ok(PartitionValue::MaxValue);
        }
        self.bit_expr(0).map(PartitionValue::Expr)
    }

    fn partition_options(&mut self) -> Result<Vec<PartitionOption>> {
        let mut options = Vec::new();
        while let Some(keyword) = self.keyword() {
            let (name, value) = match keyword {
                K::Storage | K::Engine => {
                    self.eat_kw(K::Storage);
                    self.need_kw(K::Engine)?;
                    self.eat(Tok::Equal);
                    ("ENGINE", TableOptionValue::Word(self.ident_or_text()?))
                }
                K::Nodegroup => {
                    self.advance();
                    self.eat(Tok::Equal);
                    ("NODEGROUP", TableOptionValue::Number(self.number()?))
                }
                K::Comment => {
                    self.advance();
                    self.eat(Tok::Equal);
                    ("COMMENT", TableOptionValue::String(self.string()?))
                }
                K::MaxRows | K::MinRows | K::Data | K::Index | K::Tablespace => {
                    match self.plain_option(keyword)? {
                        Some(option) => option,
                        None => break,
                    }
                }
                _ => break,
            };
            options.push(PartitionOption { name, value });
        }
        Ok(options)
    }
}
