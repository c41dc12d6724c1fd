//! The form of rows in a temporary file: the buffers of their columns, one after the other, under a checksum.
//!
//! ```text
//!   record   crc32c u32 | bytes u32 | rows u32 | columns u32 | column*
//!   column   class u8 | flags u8 | 0 u16 | values u32 | bytes u32 | 0 u32 | validity? | offsets? | values
//! ```
//! Numbers are little-endian. Flags are 1 for "one value for all rows" and 2 for "has NULLs". Every buffer is filled up
//! to a multiple of 16, so that columns are read in place: a column keeps the record that it came from. The checksum
//! covers everything behind it and the place in the file, so a record that was written elsewhere is noticed too.
//!
//! Nothing here outlives a process: the form may change with any version.

use arrow_array::types::ArrowPrimitiveType;
use arrow_array::{Array, BinaryArray, PrimitiveArray, StringArray};
use arrow_buffer::{BooleanBuffer, Buffer, MutableBuffer, NullBuffer, OffsetBuffer, ScalarBuffer};

use crate::database::temporary::TemporaryFile;
use crate::error::SqlError;
use crate::exec::batch::Batch;
use crate::expr::Vector;
use crate::expr::vector::Data;

const HEADER: usize = 16;
const COLUMN_HEADER: usize = 16;
const ALIGNMENT: usize = 16;
const CONSTANT: u8 = 1;
const NULLS: u8 = 2;

/// Where a record lies in its file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    offset: u64,
    length: usize,
    /// Rows in it.
    pub(crate) rows: usize,
}

/// Writes a batch behind the end of a file.
pub(crate) fn write(batch: &Batch, file: &TemporaryFile, scratch: &mut Vec<u8>) -> Result<Place, SqlError> {
    scratch.clear();
    scratch.resize(HEADER, 0);
    for column in &batch.columns {
        append_column(column, scratch)?;
    }
    let length = scratch.len();
    let fields = [length, batch.rows, batch.columns.len()];
    for (at, field) in (1usize..).zip(fields) {
        let field = u32::try_from(field).map_err(|_| too_large())?;
        put(scratch, at * 4, &field.to_le_bytes());
    }
    let sum = crc32c::crc32c(scratch.get(4..).unwrap_or_default());
    put(scratch, 0, &sum.to_le_bytes());
    let offset = file.append(scratch)?;
    Ok(Place { offset, length, rows: batch.rows })
}

/// Reads a batch.
pub(crate) fn read(file: &TemporaryFile, place: Place) -> Result<Batch, SqlError> {
    let mut bytes = MutableBuffer::from_len_zeroed(place.length);
    file.read(bytes.as_slice_mut(), place.offset)?;
    let bytes = Buffer::from(bytes);
    decode(&bytes, place.rows).ok_or_else(|| file.damaged(place.offset))
}

/// Gives the space of records back.
pub(crate) fn discard(file: &TemporaryFile, places: impl IntoIterator<Item = Place>) {
    file.discard(places.into_iter().map(|place| (place.offset, place.length as u64)).collect());
}

fn too_large() -> SqlError {
    SqlError::unknown("rows of more than 4 GiB in one batch")
}

fn put(out: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(place) = out.get_mut(at..at + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}

fn fill_up(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(ALIGNMENT), 0);
}

fn append_column(column: &Vector, out: &mut Vec<u8>) -> Result<(), SqlError> {
    let start = out.len();
    out.resize(start + COLUMN_HEADER, 0);
    let mut flags = if column.is_constant() { CONSTANT } else { 0 };
    let (class, values, bytes) = match column.data() {
        Data::Null => (0, column.len(), 0),
        Data::Int(array) => append_numbers(1, array, &mut flags, out),
        Data::UInt(array) => append_numbers(2, array, &mut flags, out),
        Data::Double(array) => append_numbers(3, array, &mut flags, out),
        Data::Short(array) => append_numbers(4, array, &mut flags, out),
        Data::Long(array) => append_numbers(7, array, &mut flags, out),
        Data::Wide(array) => append_numbers(8, array, &mut flags, out),
        Data::Text(array) => {
            append_nulls(array.nulls(), &mut flags, out);
            (5, array.len(), append_strings(array.value_offsets(), array.value_data(), out))
        }
        Data::Binary(array) => {
            append_nulls(array.nulls(), &mut flags, out);
            (6, array.len(), append_strings(array.value_offsets(), array.value_data(), out))
        }
    };
    put(out, start, &[class, flags]);
    let values = u32::try_from(values).map_err(|_| too_large())?;
    let bytes = u32::try_from(bytes).map_err(|_| too_large())?;
    put(out, start + 4, &values.to_le_bytes());
    put(out, start + 8, &bytes.to_le_bytes());
    Ok(())
}

fn append_nulls(nulls: Option<&NullBuffer>, flags: &mut u8, out: &mut Vec<u8>) {
    if let Some(nulls) = nulls {
        *flags |= NULLS;
        out.extend_from_slice(nulls.inner().sliced().as_slice());
        fill_up(out);
    }
}

fn append_numbers<T: ArrowPrimitiveType>(
    class: u8,
    array: &PrimitiveArray<T>,
    flags: &mut u8,
    out: &mut Vec<u8>,
) -> (u8, usize, usize) {
    append_nulls(array.nulls(), flags, out);
    let values = array.values().inner().as_slice();
    out.extend_from_slice(values);
    fill_up(out);
    (class, array.len(), values.len())
}

/// The offsets begin at zero, whatever part of an array this is.
fn append_strings(offsets: &[i32], data: &[u8], out: &mut Vec<u8>) -> usize {
    let base = offsets.first().copied().unwrap_or(0);
    let end = offsets.last().copied().unwrap_or(0);
    if base == 0 {
        offsets.iter().for_each(|offset| out.extend_from_slice(&offset.to_le_bytes()));
    } else {
        offsets.iter().for_each(|offset| out.extend_from_slice(&(offset - base).to_le_bytes()));
    }
    fill_up(out);
    let data = data.get(base as usize..end as usize).unwrap_or_default();
    out.extend_from_slice(data);
    fill_up(out);
    data.len()
}

/// Reads a record from its beginning to its end.
struct Reader<'b> {
    bytes: &'b Buffer,
    at: usize,
}

impl Reader<'_> {
    fn number(&self, at: usize) -> Option<usize> {
        let bytes = self.bytes.as_slice().get(at..at + 4)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?) as usize)
    }

    /// The next `length` bytes, and what fills them up.
    fn part(&mut self, length: usize) -> Option<Buffer> {
        let start = self.at;
        let end = start.checked_add(length)?;
        if end > self.bytes.len() {
            return None;
        }
        self.at = end.next_multiple_of(ALIGNMENT);
        Some(self.bytes.slice_with_length(start, length))
    }

    fn nulls(&mut self, flags: u8, values: usize) -> Option<Option<NullBuffer>> {
        if flags & NULLS == 0 {
            return Some(None);
        }
        let bits = self.part(values.div_ceil(8))?;
        Some(Some(NullBuffer::new(BooleanBuffer::new(bits, 0, values))))
    }

    fn numbers<T: ArrowPrimitiveType>(&mut self, flags: u8, values: usize) -> Option<PrimitiveArray<T>> {
        let nulls = self.nulls(flags, values)?;
        let bytes = self.part(values.checked_mul(size_of::<T::Native>())?)?;
        PrimitiveArray::try_new(ScalarBuffer::new(bytes, 0, values), nulls).ok()
    }

    fn strings(&mut self, flags: u8, values: usize, bytes: usize) -> Option<Strings> {
        let nulls = self.nulls(flags, values)?;
        let offsets = self.part((values + 1).checked_mul(4)?)?;
        let offsets: ScalarBuffer<i32> = ScalarBuffer::new(offsets, 0, values + 1);
        let rising = offsets.first() == Some(&0) && offsets.is_sorted();
        rising.then_some(())?;
        Some((OffsetBuffer::new(offsets), self.part(bytes)?, nulls))
    }

    fn column(&mut self, rows: usize) -> Option<Vector> {
        let header = self.at;
        let [class, flags] = *self.bytes.as_slice().get(header..header + 2)? else { return None };
        let (values, bytes) = (self.number(header + 4)?, self.number(header + 8)?);
        self.at += COLUMN_HEADER;
        let data = match class {
            0 => return Some(Vector::null(rows)),
            1 => Data::Int(self.numbers(flags, values)?),
            2 => Data::UInt(self.numbers(flags, values)?),
            3 => Data::Double(self.numbers(flags, values)?),
            4 => Data::Short(self.numbers(flags, values)?),
            7 => Data::Long(self.numbers(flags, values)?),
            8 => Data::Wide(self.numbers(flags, values)?),
            5 => {
                let (offsets, data, nulls) = self.strings(flags, values, bytes)?;
                Data::Text(StringArray::try_new(offsets, data, nulls).ok()?)
            }
            6 => {
                let (offsets, data, nulls) = self.strings(flags, values, bytes)?;
                Data::Binary(BinaryArray::try_new(offsets, data, nulls).ok()?)
            }
            _ => return None,
        };
        let vector = Vector::array(data, values);
        if flags & CONSTANT != 0 { Some(vector.repeat(rows)) } else { (values == rows).then_some(vector) }
    }
}

type Strings = (OffsetBuffer<i32>, Buffer, Option<NullBuffer>);

fn decode(bytes: &Buffer, rows: usize) -> Option<Batch> {
    let mut reader = Reader { bytes, at: HEADER };
    let sum = crc32c::crc32c(bytes.as_slice().get(4..)?) as usize;
    if sum != reader.number(0)? || bytes.len() != reader.number(4)? || rows != reader.number(8)? {
        return None;
    }
    let width = reader.number(12)?;
    let columns = (0..width).map(|_| reader.column(rows)).collect::<Option<Vec<_>>>()?;
    Some(Batch { columns, rows })
}
