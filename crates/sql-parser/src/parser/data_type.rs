//! Data types, character sets and collations.

use super::{Parser, Result};
use crate::ast::*;
use crate::charset::is_charset;
use crate::keyword::Keyword as K;
use crate::token::Tok;

impl Parser<'_> {
    // Character sets and collations.

    /// Whether `CHARACTER SET` or `CHARSET` begins here.
    pub(super) fn at_charset(&self) -> bool {
        matches!(self.token.tok, Tok::Keyword(K::Charset | K::Char | K::Character))
    }

    /// Takes `CHARACTER SET` or `CHARSET`.
    pub(super) fn need_charset(&mut self) -> Result<()> {
        if self.eat_kw(K::Charset) {
            return Ok(());
        }
        if !self.eat_kw(K::Char) {
            self.need_kw(K::Character)?;
        }
        self.need_kw(K::Set)
    }

    /// `CHARACTER SET name`.
    pub(super) fn charset_clause(&mut self) -> Result<Ident> {
        self.need_charset()?;
        self.charset_name()
    }

    /// A character set: a name, a string, or BINARY.
    pub(super) fn charset_name(&mut self) -> Result<Ident> {
        if self.at_kw(K::Binary) {
            return Ok(binary_in_lower_case(self.keyword_ident(K::Binary)));
        }
        let name = self.ident_or_text()?;
        if is_charset(name.value.as_bytes()) {
            return Ok(binary_in_lower_case(name));
        }
        self.rule(1115, "42000", format!("Unknown character set: '{}'", name.value))
    }

    /// A collation: a name, a string, or BINARY.
    pub(super) fn collation_name(&mut self) -> Result<Ident> {
        if self.at_kw(K::Binary) {
            return Ok(binary_in_lower_case(self.keyword_ident(K::Binary)));
        }
        self.ident_or_text().map(binary_in_lower_case)
    }

    /// A character set, or DEFAULT as `None`.
    pub(super) fn charset_or_default(&mut self) -> Result<Option<Ident>> {
        if self.eat_kw(K::Default) { Ok(None) } else { self.charset_name().map(Some) }
    }

    /// What may follow a string type: `CHARACTER SET x [BINARY]`, `BINARY [CHARACTER SET x]`, ASCII, UNICODE, BYTE.
    fn charset_attribute(&mut self) -> Result<CharsetAttribute> {
        let mut attribute = CharsetAttribute::default();
        match self.keyword() {
            Some(K::Ascii | K::Unicode | K::Byte) => {
                attribute.charset = Some(self.named_charset());
            }
            Some(K::Binary) => {
                self.advance();
                attribute.binary = true;
                if matches!(self.keyword(), Some(K::Ascii | K::Unicode)) {
                    attribute.charset = Some(self.named_charset());
                } else if self.at_charset() {
                    attribute.charset = Some(self.charset_clause()?);
                }
                return Ok(attribute);
            }
            _ if self.at_charset() => attribute.charset = Some(self.charset_clause()?),
            _ => return Ok(attribute),
        }
        let is_byte = attribute.charset.as_ref().is_some_and(|name| name.span.end == 0);
        attribute.binary = !is_byte && self.eat_kw(K::Binary);
        Ok(attribute)
    }

    /// ASCII is latin1, UNICODE is ucs2, BYTE is binary.
    fn named_charset(&mut self) -> Ident {
        let name = match self.keyword() {
            Some(K::Ascii) => "latin1",
            Some(K::Unicode) => "ucs2",
            _ => "binary",
        };
        self.advance();
        Ident::new(name)
    }

    /// A type with `COLLATE`, as casts to it, JSON_TABLE and stored programs write it.
    pub(super) fn data_type_with_collation(&mut self) -> Result<DataType> {
        let mut data_type = self.data_type()?;
        if self.at_kw(K::Collate) {
            self.advance();
            let name = self.collation_name()?;
            if let DataType::Char { charset, .. }
            | DataType::VarChar { charset, .. }
            | DataType::Text { charset, .. }
            | DataType::Enum { charset, .. }
            | DataType::Set { charset, .. } = &mut data_type
            {
                charset.collation = Some(name);
            }
        }
        Ok(data_type)
    }

    // Lengths.

    /// `(n)`.
    fn length(&mut self) -> Result<u64> {
        self.need(Tok::LeftParen)?;
        let length = match self.token.tok {
            Tok::Integer => self.integer()?,
            _ => return self.fail(),
        };
        self.need(Tok::RightParen)?;
        Ok(length)
    }

    fn optional_length(&mut self) -> Result<Option<u64>> {
        if self.at(Tok::LeftParen) { self.length().map(Some) } else { Ok(None) }
    }

    fn optional_short_length(&mut self) -> Result<Option<u32>> {
        Ok(self.optional_length()?.map(|length| u32::try_from(length).unwrap_or(u32::MAX)))
    }

    /// `(p)` or `(p, s)`, or nothing.
    fn precision(&mut self) -> Result<(Option<u32>, Option<u32>)> {
        if !self.eat(Tok::LeftParen) {
            return Ok((None, None));
        }
        let precision = self.small_integer()?;
        let scale = if self.eat(Tok::Comma) { Some(self.small_integer()?) } else { None };
        self.need(Tok::RightParen)?;
        Ok((Some(precision), scale))
    }

    /// `(m, d)`, or nothing: what DOUBLE and REAL take.
    fn double_precision(&mut self) -> Result<(Option<u32>, Option<u32>)> {
        if !self.eat(Tok::LeftParen) {
            return Ok((None, None));
        }
        let precision = self.small_integer()?;
        self.need(Tok::Comma)?;
        let scale = self.small_integer()?;
        self.need(Tok::RightParen)?;
        Ok((Some(precision), Some(scale)))
    }

    /// SIGNED, UNSIGNED, ZEROFILL in any order and number.
    fn numeric_sign(&mut self) -> NumericSign {
        let mut sign = NumericSign::default();
        loop {
            match self.keyword() {
                Some(K::Signed) => {}
                Some(K::Unsigned) => sign.unsigned = true,
                Some(K::Zerofill) => sign = NumericSign { unsigned: true, zerofill: true },
                _ => return sign,
            }
            self.advance();
        }
    }

    // Types.

    /// The type of a column.
    pub(super) fn data_type(&mut self) -> Result<DataType> {
        let Some(keyword) = self.keyword() else { return self.fail() };
        if let Some(size) = integer_size(keyword) {
            self.advance();
            let display_width = self.optional_short_length()?;
            return Ok(DataType::Integer { size, display_width, sign: self.numeric_sign() });
        }
        if let Some(geometry) = geometry_type(keyword) {
            self.advance();
            return Ok(DataType::Geometry(geometry));
        }
        match keyword {
            K::Decimal
            | K::Dec
            | K::Numeric
            | K::Fixed
            | K::Float
            | K::Float4
            | K::Double
            | K::Float8
            | K::Real => self.numeric_type(keyword),
            K::Date | K::Time | K::Timestamp | K::Datetime | K::Year => self.temporal_type(keyword),
            K::Char | K::Character | K::Varchar | K::Varcharacter | K::National | K::Nchar | K::Nvarchar => {
                self.character_type(keyword)
            }
            K::Tinytext | K::Text | K::Mediumtext | K::Longtext | K::Long => self.text_type(keyword),
            K::Tinyblob | K::Blob | K::Mediumblob | K::Longblob => self.blob_type(keyword),
            K::Enum | K::Set => self.enum_type(keyword),
            _ => self.other_type(keyword),
        }
    }

    fn other_type(&mut self, keyword: K) -> Result<DataType> {
        let start = self.token.start;
        self.advance();
        Ok(match keyword {
            K::Bit => DataType::Bit { width: self.optional_short_length()? },
            K::Bool | K::Boolean => DataType::Boolean,
            K::Serial => DataType::Serial,
            K::Json => DataType::Json,
            K::Binary => DataType::Binary { length: self.optional_length()? },
            K::Varbinary => DataType::VarBinary { length: self.length()? },
            K::Vector => DataType::Vector { length: self.optional_length()? },
            _ => return self.fail_at(start),
        })
    }

    fn numeric_type(&mut self, keyword: K) -> Result<DataType> {
        self.advance();
        match keyword {
            K::Float | K::Float4 => {
                let (precision, scale) = self.precision()?;
                Ok(DataType::Float { precision, scale, sign: self.numeric_sign() })
            }
            K::Double | K::Float8 => {
                if keyword == K::Double {
                    self.eat_kw(K::Precision);
                }
                let (precision, scale) = self.double_precision()?;
                Ok(DataType::Double { precision, scale, sign: self.numeric_sign() })
            }
            K::Real => {
                let (precision, scale) = self.double_precision()?;
                Ok(DataType::Real { precision, scale, sign: self.numeric_sign() })
            }
            _ => {
                let (precision, scale) = self.precision()?;
                Ok(DataType::Decimal { precision, scale, sign: self.numeric_sign() })
            }
        }
    }

    fn temporal_type(&mut self, keyword: K) -> Result<DataType> {
        self.advance();
        Ok(match keyword {
            K::Date => DataType::Date,
            K::Time => DataType::Time { fsp: self.optional_short_length()? },
            K::Timestamp => DataType::Timestamp { fsp: self.optional_short_length()? },
            K::Datetime => DataType::DateTime { fsp: self.optional_short_length()? },
            _ => {
                let display_width = self.optional_short_length()?;
                DataType::Year { display_width, sign: self.numeric_sign() }
            }
        })
    }

    /// CHAR, VARCHAR and their national forms.
    fn character_type(&mut self, keyword: K) -> Result<DataType> {
        self.advance();
        let mut national = matches!(keyword, K::Nchar | K::Nvarchar);
        let mut varying = matches!(keyword, K::Varchar | K::Varcharacter | K::Nvarchar);
        if keyword == K::National {
            national = true;
            match self.keyword() {
                Some(K::Varchar | K::Varcharacter) => varying = true,
                Some(K::Char | K::Character) => {}
                _ => return self.fail(),
            }
            self.advance();
        }
        if keyword == K::Nchar && matches!(self.keyword(), Some(K::Varchar | K::Varcharacter)) {
            self.advance();
            varying = true;
        }
        varying |= !varying && self.eat_kw(K::Varying);
        let length = if varying { Some(self.length()?) } else { self.optional_length()? };
        let charset = if national {
            CharsetAttribute { binary: self.eat_kw(K::Binary), ..CharsetAttribute::default() }
        } else {
            self.charset_attribute()?
        };
        Ok(match length {
            Some(length) if varying => DataType::VarChar { length, charset, national },
            _ => DataType::Char { length, charset, national },
        })
    }

    /// TEXT in its sizes; LONG, LONG VARCHAR and LONG VARBINARY are the medium ones.
    fn text_type(&mut self, keyword: K) -> Result<DataType> {
        self.advance();
        let size = match keyword {
            K::Tinytext => LobSize::Tiny,
            K::Text => LobSize::Regular,
            K::Longtext => LobSize::Long,
            _ => LobSize::Medium,
        };
        if keyword == K::Long {
            if self.eat_kw(K::Varbinary) {
                return Ok(DataType::Blob { size, length: None });
            }
            let varying = matches!(self.keyword(), Some(K::Varchar | K::Varcharacter));
            if varying {
                self.advance();
            } else if matches!(self.keyword(), Some(K::Char | K::Character))
                && self.peek() == Tok::Keyword(K::Varying)
            {
                self.advance();
                self.advance();
            }
        }
        let length = if keyword == K::Text { self.optional_length()? } else { None };
        Ok(DataType::Text { size, length, charset: self.charset_attribute()? })
    }

    fn blob_type(&mut self, keyword: K) -> Result<DataType> {
        self.advance();
        let size = match keyword {
            K::Tinyblob => LobSize::Tiny,
            K::Mediumblob => LobSize::Medium,
            K::Longblob => LobSize::Long,
            _ => LobSize::Regular,
        };
        let length = if keyword == K::Blob { self.optional_length()? } else { None };
        Ok(DataType::Blob { size, length })
    }

    fn enum_type(&mut self, keyword: K) -> Result<DataType> {
        self.advance();
        let members = self.paren_list(Self::text_or_bits)?;
        let charset = self.charset_attribute()?;
        Ok(if keyword == K::Enum {
            DataType::Enum { members, charset }
        } else {
            DataType::Set { members, charset }
        })
    }

    /// The type that CAST, CONVERT and RETURNING name.
    #[inline(never)]
    pub(super) fn cast_target(&mut self) -> Result<CastTarget> {
        let Some(keyword) = self.keyword() else { return self.fail() };
        let data_type = match keyword {
            K::Signed | K::Unsigned => {
                self.advance();
                if !self.eat_kw(K::Int) {
                    self.eat_kw(K::Integer);
                }
                return Ok(if keyword == K::Signed { CastTarget::Signed } else { CastTarget::Unsigned });
            }
            K::Char | K::Character => {
                self.advance();
                let length = self.optional_length()?;
                DataType::Char { length, charset: self.charset_attribute()?, national: false }
            }
            K::Nchar | K::National => {
                self.advance();
                if keyword == K::National && !self.eat_kw(K::Char) {
                    self.need_kw(K::Character)?;
                }
                let length = self.optional_length()?;
                DataType::Char { length, charset: CharsetAttribute::default(), national: true }
            }
            K::Binary => {
                self.advance();
                DataType::Binary { length: self.optional_length()? }
            }
            K::Decimal | K::Dec => {
                self.advance();
                let (precision, scale) = self.precision()?;
                DataType::Decimal { precision, scale, sign: NumericSign::default() }
            }
            K::Float => {
                self.advance();
                let precision = self.optional_short_length()?;
                DataType::Float { precision, scale: None, sign: NumericSign::default() }
            }
            K::Double => {
                self.advance();
                self.eat_kw(K::Precision);
                DataType::Double { precision: None, scale: None, sign: NumericSign::default() }
            }
            K::Real => {
                self.advance();
                DataType::Real { precision: None, scale: None, sign: NumericSign::default() }
            }
            K::Year => {
                self.advance();
                DataType::Year { display_width: None, sign: NumericSign::default() }
            }
            K::Json => {
                self.advance();
                DataType::Json
            }
            K::Vector => {
                self.advance();
                DataType::Vector { length: self.optional_length()? }
            }
            K::Date | K::Time | K::Datetime => self.temporal_type(keyword)?,
            _ => match geometry_type(keyword) {
                Some(geometry) if geometry != GeometryType::Geometry => {
                    self.advance();
                    DataType::Geometry(geometry)
                }
                _ => return self.fail(),
            },
        };
        Ok(CastTarget::Type(data_type))
    }
}

/// `binary` is a keyword or a name; either way it is written alike.
fn binary_in_lower_case(mut name: Ident) -> Ident {
    if name.is("binary") {
        name.value = "binary".into();
    }
    name
}

fn integer_size(keyword: K) -> Option<IntegerSize> {
    Some(match keyword {
        K::Tinyint | K::Int1 => IntegerSize::Tiny,
        K::Smallint | K::Int2 => IntegerSize::Small,
        K::Mediumint | K::Middleint | K::Int3 => IntegerSize::Medium,
        K::Int | K::Integer | K::Int4 => IntegerSize::Int,
        K::Bigint | K::Int8 => IntegerSize::Big,
        _ => return None,
    })
}

fn geometry_type(keyword: K) -> Option<GeometryType> {
    Some(match keyword {
        K::Geometry => GeometryType::Geometry,
        K::Point => GeometryType::Point,
        K::Linestring => GeometryType::LineString,
        K::Polygon => GeometryType::Polygon,
        K::Multipoint => GeometryType::MultiPoint,
        K::Multilinestring => GeometryType::MultiLineString,
        K::Multipolygon => GeometryType::MultiPolygon,
        K::Geometrycollection | K::Geomcollection => GeometryType::GeometryCollection,
        _ => return None,
    })
}
