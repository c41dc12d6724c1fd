//! Geometries as MySQL stores them: the SRID in four bytes, little-endian, and well-known binary (OGC 06-103r4).
//!
//! ```text
//! srid u32 | geometry
//! geometry = order u8 (1: little-endian) | kind u32 | body
//! body     = point: x f64, y f64        line, multipoint: count u32, parts
//! ```
//!
//! What is stored is checked for its shape and not for its meaning; nothing here computes with geometries.
//! Bytes behind the geometry are cut off, as MySQL does.

use super::StoreIssue;
use crate::types::GeometryShape;
use crate::value::{Value, ValueRef};

/// Collections inside of collections, at most.
const MAX_DEPTH: usize = 16;

/// The bytes that a column of this shape keeps of a value.
pub(super) fn to_geometry(
    value: ValueRef<'_>,
    shape: GeometryShape,
    srid: Option<u32>,
) -> Result<Value, StoreIssue> {
    let bytes = match value {
        ValueRef::Null => return Ok(Value::Null),
        ValueRef::Bytes(bytes) => bytes,
        ValueRef::Text(text) => text.as_bytes(),
        _ => return Err(StoreIssue::NoGeometry),
    };
    let Some((found, rest)) = bytes.split_first_chunk::<4>() else { return Err(StoreIssue::NoGeometry) };
    let mut reader = Reader { rest };
    if reader.geometry(shape, MAX_DEPTH).is_none() {
        return Err(StoreIssue::NoGeometry);
    }
    let found = u32::from_le_bytes(*found);
    if let Some(wanted) = srid.filter(|wanted| *wanted != found) {
        return Err(StoreIssue::WrongSrid { found, wanted });
    }
    let length = bytes.len() - reader.rest.len();
    Ok(Value::Bytes(bytes.get(..length).unwrap_or(bytes).to_vec()))
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn number(&mut self) -> Option<u32> {
        let (number, rest) = self.rest.split_first_chunk::<4>()?;
        self.rest = rest;
        Some(u32::from_le_bytes(*number))
    }

    fn coordinates(&mut self, points: usize) -> Option<()> {
        for _ in 0..points.checked_mul(2)? {
            let (number, rest) = self.rest.split_first_chunk::<8>()?;
            if !f64::from_le_bytes(*number).is_finite() {
                return None;
            }
            self.rest = rest;
        }
        Some(())
    }

    /// Reads one geometry that a column of this shape may hold.
    fn geometry(&mut self, wanted: GeometryShape, depth: usize) -> Option<()> {
        let (order, rest) = self.rest.split_first()?;
        self.rest = rest;
        if *order != 1 {
            return None;
        }
        let kind = u64::from(self.number()?);
        let shape = GeometryShape::ALL.into_iter().find(|shape| shape.code() == kind)?;
        if shape == GeometryShape::Geometry || (wanted != shape && wanted != GeometryShape::Geometry) {
            return None;
        }
        let depth = depth.checked_sub(1)?;
        let part = match shape {
            GeometryShape::Point => return self.coordinates(1),
            GeometryShape::LineString => {
                let points = self.number()?;
                return (points >= 2).then_some(()).and_then(|()| self.coordinates(points as usize));
            }
            GeometryShape::Polygon => {
                let rings = self.number()?;
                for _ in 0..rings {
                    let points = self.number()?;
                    if points < 4 {
                        return None;
                    }
                    self.coordinates(points as usize)?;
                }
                return (rings > 0).then_some(());
            }
            GeometryShape::MultiPoint => GeometryShape::Point,
            GeometryShape::MultiLineString => GeometryShape::LineString,
            GeometryShape::MultiPolygon => GeometryShape::Polygon,
            GeometryShape::Collection | GeometryShape::Geometry => GeometryShape::Geometry,
        };
        let count = self.number()?;
        if count == 0 && shape != GeometryShape::Collection {
            return None;
        }
        (0..count).try_for_each(|_| self.geometry(part, depth))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(srid: u32, extra: &[u8]) -> Vec<u8> {
        let mut bytes = srid.to_le_bytes().to_vec();
        bytes.extend([1, 1, 0, 0, 0]);
        bytes.extend(1f64.to_le_bytes());
        bytes.extend(2f64.to_le_bytes());
        bytes.extend(extra);
        bytes
    }

    fn store(bytes: &[u8], shape: GeometryShape, srid: Option<u32>) -> Result<Value, StoreIssue> {
        to_geometry(ValueRef::Bytes(bytes), shape, srid)
    }

    #[test]
    fn a_point_is_kept_and_what_follows_it_is_not() {
        let kept = Ok(Value::Bytes(point(7, &[])));
        assert_eq!(store(&point(7, &[]), GeometryShape::Geometry, None), kept);
        assert_eq!(store(&point(7, &[0, 1]), GeometryShape::Point, Some(7)), kept);
    }

    #[test]
    fn what_is_no_geometry_of_the_shape_is_refused() {
        let none = Err(StoreIssue::NoGeometry);
        assert_eq!(store(&point(0, &[]), GeometryShape::Polygon, None), none);
        let whole = point(0, &[]);
        for end in 0..whole.len() {
            assert_eq!(store(&whole[..end], GeometryShape::Geometry, None), none);
        }
        assert_eq!(to_geometry(ValueRef::Int(5), GeometryShape::Geometry, None), none);
        let wrong = StoreIssue::WrongSrid { found: 0, wanted: 4326 };
        assert_eq!(store(&whole, GeometryShape::Point, Some(4326)), Err(wrong));
    }

    #[test]
    fn collections_may_be_deep_but_not_without_end() {
        let mut bytes = vec![0; 4];
        for _ in 0..40 {
            bytes.extend([1, 7, 0, 0, 0, 1, 0, 0, 0]);
        }
        assert_eq!(store(&bytes, GeometryShape::Geometry, None), Err(StoreIssue::NoGeometry));
        let empty = [0, 0, 0, 0, 1, 7, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(store(&empty, GeometryShape::Collection, None), Ok(Value::Bytes(empty.to_vec())));
    }
}
