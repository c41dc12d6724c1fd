//! CREATE TABLE, keys and constraints, table options; DROP, RENAME and TRUNCATE TABLE.

use super::{Parser, Result};
use crate::ast::*;
use crate::keyword::Keyword as K;
use crate::token::Tok;

impl Parser<'_> {
    /// At TABLE of CREATE [TEMPORARY] TABLE.
    #[inline(never)]
    pub(super) fn create_table(&mut self, temporary: bool) -> Result<Statement> {
        self.advance();
        let if_not_exists = self.if_not_exists()?;
        let name = self.object_name()?;
        let mut table = CreateTable {
            temporary,
            if_not_exists,
            name,
            like: None,
            elements: Vec::new(),
            options: Vec::new(),
            partitioning: None,
            query: None,
        };
        if self.eat_kw(K::Like) {
            table.like = Some(self.object_name()?);
            return Ok(Statement::CreateTable(Box::new(table)));
        }
        let query_in_parens = self.at(Tok::LeftParen)
            && matches!(
                self.peek(),
                Tok::LeftParen | Tok::Keyword(K::Select | K::With | K::Table | K::Values)
            );
        if self.at(Tok::LeftParen) && !query_in_parens {
            self.advance();
            if self.eat_kw(K::Like) {
                table.like = Some(self.object_name()?);
                self.need(Tok::RightParen)?;
                return Ok(Statement::CreateTable(Box::new(table)));
            }
            table.elements = self.comma_list(Self::table_element)?;
            self.need(Tok::RightParen)?;
        }
        table.options = self.table_options(true)?;
        if self.at_kw(K::Partition) {
            table.partitioning = Some(Box::new(self.partitioning()?));
        }
        let duplicates = self.load_duplicates();
        let written = duplicates.is_some() | self.eat_kw(K::As);
        if written || self.at(Tok::LeftParen) || self.at_query_start() || self.at_kw(K::Values) {
            let query = self.query_expression()?;
            table.query = Some(Box::new(CreateTableQuery { duplicates, query: *query }));
        }
        Ok(Statement::CreateTable(Box::new(table)))
    }

    /// A column, key or constraint.
    pub(super) fn table_element(&mut self) -> Result<TableElement> {
        if let Some(element) = self.table_constraint()? {
            return Ok(element);
        }
        let name = self.ident()?;
        self.column_definition(name).map(TableElement::Column)
    }

    /// A key or constraint, if one stands here.
    pub(super) fn table_constraint(&mut self) -> Result<Option<TableElement>> {
        let constraint = if self.eat_kw(K::Constraint) {
            Some(if self.at_ident() { Some(self.ident()?) } else { None })
        } else {
            None
        };
        let kind = match self.keyword() {
            Some(K::Primary) => {
                self.advance();
                self.need_kw(K::Key)?;
                IndexKind::Primary
            }
            Some(K::Unique) => {
                self.advance();
                self.eat_key_or_index();
                IndexKind::Unique
            }
            Some(K::Foreign) => {
                self.advance();
                self.need_kw(K::Key)?;
                let index_name = if self.at_ident() { Some(self.ident()?) } else { None };
                let columns = self.paren_list(Self::foreign_key_column)?;
                let references = self.references()?;
                let key = ForeignKey { constraint, index_name, columns, references };
                return Ok(Some(TableElement::ForeignKey(Box::new(key))));
            }
            Some(K::Check) => {
                let mut check = self.check_constraint(constraint)?;
                if self.at_kw(K::Not) || self.at_kw(K::Enforced) {
                    check.enforced = self.enforcement()?;
                }
                return Ok(Some(TableElement::Check(Box::new(check))));
            }
            _ if constraint.is_some() => return self.fail(),
            Some(K::Key | K::Index) => {
                self.advance();
                IndexKind::Plain
            }
            Some(keyword @ (K::Fulltext | K::Spatial)) => {
                self.advance();
                self.eat_key_or_index();
                if keyword == K::Fulltext { IndexKind::FullText } else { IndexKind::Spatial }
            }
            _ => return Ok(None),
        };
        let name = if self.at_ident() { Some(self.ident()?) } else { None };
        let index = self.index_definition(kind, constraint, name)?;
        Ok(Some(TableElement::Index(Box::new(index))))
    }

    fn eat_key_or_index(&mut self) {
        if !self.eat_kw(K::Key) {
            self.eat_kw(K::Index);
        }
    }

    fn foreign_key_column(&mut self) -> Result<Ident> {
        let name = self.ident()?;
        // A prefix or direction is in MySQL's grammar for all keys; it is refused later for this one.
        if self.eat(Tok::LeftParen) {
            self.integer()?;
            self.need(Tok::RightParen)?;
        }
        self.direction()?;
        Ok(name)
    }

    /// `[NOT] ENFORCED`.
    pub(super) fn enforcement(&mut self) -> Result<bool> {
        let enforced = !self.eat_kw(K::Not);
        self.need_kw(K::Enforced)?;
        Ok(enforced)
    }

    /// Behind an index's name: `[USING type] (parts) options`.
    #[inline(never)]
    pub(super) fn index_definition(
        &mut self,
        kind: IndexKind,
        constraint: Option<Option<Ident>>,
        name: Option<Ident>,
    ) -> Result<IndexDefinition> {
        let mut options = IndexOptions::default();
        let plain = !matches!(kind, IndexKind::FullText | IndexKind::Spatial);
        if plain && (self.at_kw(K::Using) || (name.is_some() && self.at_kw(K::Type))) {
            self.advance();
            options.algorithm = Some(self.index_algorithm()?);
        }
        let parts = self.paren_list(Self::index_part)?;
        self.index_options(kind, &mut options)?;
        Ok(IndexDefinition { kind, constraint, name, parts, options })
    }

    pub(super) fn index_algorithm(&mut self) -> Result<IndexAlgorithm> {
        let algorithm = match self.keyword() {
            Some(K::Btree) => IndexAlgorithm::BTree,
            Some(K::Hash) => IndexAlgorithm::Hash,
            Some(K::Rtree) => IndexAlgorithm::RTree,
            _ => return self.fail(),
        };
        self.advance();
        Ok(algorithm)
    }

    fn index_part(&mut self) -> Result<IndexPart> {
        let key = if self.eat(Tok::LeftParen) {
            let expr = self.expr()?;
            self.need(Tok::RightParen)?;
            IndexKey::Expression(expr)
        } else {
            let name = self.ident()?;
            let mut prefix = None;
            if self.eat(Tok::LeftParen) {
                prefix = Some(self.integer()?);
                self.need(Tok::RightParen)?;
            }
            IndexKey::Column { name, prefix }
        };
        Ok(IndexPart { key, descending: self.direction()? })
    }

    fn index_options(&mut self, kind: IndexKind, options: &mut IndexOptions) -> Result<()> {
        let plain = !matches!(kind, IndexKind::FullText | IndexKind::Spatial);
        loop {
            match self.keyword() {
                Some(K::KeyBlockSize) => {
                    self.advance();
                    self.eat(Tok::Equal);
                    options.key_block_size = Some(self.number()?);
                }
                Some(K::Comment) => {
                    self.advance();
                    options.comment = Some(self.string()?);
                }
                Some(keyword @ (K::Visible | K::Invisible)) => {
                    self.advance();
                    options.visible = Some(keyword == K::Visible);
                }
                Some(K::With) if kind == IndexKind::FullText => {
                    self.advance();
                    self.need_kw(K::Parser)?;
                    if !matches!(self.token.tok, Tok::Ident | Tok::QuotedIdent) {
                        return self.fail();
                    }
                    options.parser = Some(self.ident()?);
                }
                Some(K::Using | K::Type) if plain => {
                    self.advance();
                    options.algorithm = Some(self.index_algorithm()?);
                }
                Some(K::EngineAttribute) => {
                    self.advance();
                    self.eat(Tok::Equal);
                    options.engine_attribute = Some(self.string()?);
                }
                Some(K::SecondaryEngineAttribute) => {
                    self.advance();
                    self.eat(Tok::Equal);
                    options.secondary_engine_attribute = Some(self.string()?);
                }
                _ => return Ok(()),
            }
        }
    }

    /// Table options; in CREATE TABLE commas may stand between them.
    pub(super) fn table_options(&mut self, commas: bool) -> Result<Vec<TableOption>> {
        let mut options = Vec::new();
        loop {
            match self.table_option()? {
                Some(option) => options.push(option),
                None if commas && !options.is_empty() && self.at(Tok::Comma) => {
                    self.advance();
                    match self.table_option()? {
                        Some(option) => options.push(option),
                        None => return self.fail(),
                    }
                }
                None => return Ok(options),
            }
        }
    }

    /// One table option, if one stands here.
    #[inline(never)]
    pub(super) fn table_option(&mut self) -> Result<Option<TableOption>> {
        let Some(keyword) = self.keyword() else { return Ok(None) };
        let option = match keyword {
            K::Engine => {
                self.named_option();
                TableOption::Engine(self.ident_or_text()?)
            }
            K::SecondaryEngine => {
                self.named_option();
                TableOption::SecondaryEngine(if self.eat_kw(K::Null) {
                    None
                } else {
                    Some(self.ident_or_text()?)
                })
            }
            K::AutoIncrement => {
                self.named_option();
                TableOption::AutoIncrement(self.number()?)
            }
            K::Comment => {
                self.named_option();
                TableOption::Comment(self.string()?)
            }
            K::RowFormat => {
                self.named_option();
                match self.keyword() {
                    Some(
                        word @ (K::Default
                        | K::Dynamic
                        | K::Fixed
                        | K::Compressed
                        | K::Redundant
                        | K::Compact),
                    ) => TableOption::RowFormat(self.keyword_ident(word)),
                    _ => return self.fail(),
                }
            }
            K::Union => {
                self.named_option();
                self.need(Tok::LeftParen)?;
                let tables =
                    if self.at(Tok::RightParen) { vec![] } else { self.comma_list(Self::object_name)? };
                self.need(Tok::RightParen)?;
                TableOption::Union(tables)
            }
            K::Start => {
                self.advance();
                self.need_kw(K::Transaction)?;
                TableOption::StartTransaction
            }
            K::Default => {
                self.advance();
                if self.at_kw(K::Collate) { self.collate_option()? } else { self.charset_option()? }
            }
            K::Collate => self.collate_option()?,
            _ if self.at_charset() => self.charset_option()?,
            _ => {
                return Ok(self
                    .plain_option(keyword)?
                    .map(|(name, value)| TableOption::Other { name, value }));
            }
        };
        Ok(Some(option))
    }

    /// Takes the option's name and an equals sign, if there is one.
    fn named_option(&mut self) {
        self.advance();
        self.eat(Tok::Equal);
    }

    fn charset_option(&mut self) -> Result<TableOption> {
        self.need_charset()?;
        self.eat(Tok::Equal);
        self.charset_name().map(TableOption::CharacterSet)
    }

    fn collate_option(&mut self) -> Result<TableOption> {
        self.named_option();
        self.collation_name().map(TableOption::Collate)
    }

    /// An option that is only a name and a value, of a table or a partition.
    pub(super) fn plain_option(&mut self, keyword: K) -> Result<Option<(&'static str, TableOptionValue)>> {
        let mut name = keyword.word();
        let value = match keyword {
            K::MaxRows
            | K::MinRows
            | K::AvgRowLength
            | K::Checksum
            | K::TableChecksum
            | K::DelayKeyWrite
            | K::KeyBlockSize => {
                self.named_option();
                TableOptionValue::Number(self.number()?)
            }
            K::PackKeys | K::StatsAutoRecalc | K::StatsPersistent | K::StatsSamplePages => {
                self.named_option();
                if self.at_kw(K::Default) {
                    TableOptionValue::Word(self.keyword_ident(K::Default))
                } else {
                    TableOptionValue::Number(self.number()?)
                }
            }
            K::Password
            | K::Compression
            | K::Encryption
            | K::Connection
            | K::EngineAttribute
            | K::SecondaryEngineAttribute => {
                self.named_option();
                TableOptionValue::String(self.string()?)
            }
            K::Data | K::Index => {
                self.advance();
                self.need_kw(K::Directory)?;
                self.eat(Tok::Equal);
                name = if keyword == K::Data { "DATA DIRECTORY" } else { "INDEX DIRECTORY" };
                TableOptionValue::String(self.string()?)
            }
            K::Tablespace => {
                self.named_option();
                TableOptionValue::Word(self.ident()?)
            }
            K::InsertMethod => {
                self.named_option();
                match self.keyword() {
                    Some(word @ (K::No | K::First | K::Last)) => {
                        TableOptionValue::Word(self.keyword_ident(word))
                    }
                    _ => return self.fail(),
                }
            }
            K::Storage => {
                self.advance();
                match self.keyword() {
                    Some(word @ (K::Disk | K::Memory)) => TableOptionValue::Word(self.keyword_ident(word)),
                    _ => return self.fail(),
                }
            }
            K::AutoextendSize => {
                self.named_option();
                if self.at(Tok::Ident) {
                    // `4M`: digits with a unit are a name to the lexer.
                    TableOptionValue::Word(self.ident()?)
                } else {
                    TableOptionValue::Number(self.number()?)
                }
            }
            _ => return Ok(None),
        };
        Ok(Some((name, value)))
    }

    /// At TABLE or TABLES of DROP.
    pub(super) fn drop_table(&mut self, temporary: bool) -> Result<Statement> {
        self.advance();
        let if_exists = self.if_exists()?;
        let tables = self.comma_list(Self::object_name)?;
        self.eat_restrict();
        Ok(Statement::DropTable(DropTable { temporary, if_exists, tables }))
    }

    /// `RESTRICT` and `CASCADE`, which do nothing.
    pub(super) fn eat_restrict(&mut self) {
        if !self.eat_kw(K::Restrict) {
            self.eat_kw(K::Cascade);
        }
    }

    /// At TABLE or TABLES of RENAME.
    pub(super) fn rename_table(&mut self) -> Result<Statement> {
        self.advance();
        let renames = self.comma_list(|p| {
            let from = p.object_name()?;
            p.need_kw(K::To)?;
            Ok((from, p.object_name()?))
        })?;
        Ok(Statement::RenameTable(RenameTable { renames }))
    }

    /// TRUNCATE.
    pub(super) fn truncate(&mut self) -> Result<Statement> {
        self.advance();
        self.eat_kw(K::Table);
        self.object_name().map(Statement::TruncateTable)
    }
}
