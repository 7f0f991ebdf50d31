//! Numbers and bytes, compact and strict: one value has one encoding.

use jiff::Timestamp;

use super::CursorError;

/// Writes.
#[derive(Default)]
pub(super) struct Writer {
    pub bytes: Vec<u8>,
}

impl Writer {
    pub fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// LEB128.
    pub fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }

    /// Zigzag LEB128.
    pub fn signed(&mut self, number: i64) {
        self.number(((number << 1) ^ (number >> 63)) as u64);
    }

    pub fn count(&mut self, count: usize) {
        self.number(count as u64);
    }

    /// Seconds after those of `base`, nanoseconds as they are.
    pub fn stamp(&mut self, stamp: Timestamp, base: i64) {
        self.signed(stamp.as_second().wrapping_sub(base));
        self.signed(i64::from(stamp.subsec_nanosecond()));
    }
}

/// Reads; everything that was not written by [`Writer`] is [`CursorError::Invalid`].
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(rest: &'a [u8]) -> Self {
        Reader { rest }
    }

    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub fn raw(&mut self, len: usize) -> Result<&'a [u8], CursorError> {
        let (head, rest) = self.rest.split_at_checked(len).ok_or(CursorError::Invalid)?;
        self.rest = rest;
        Ok(head)
    }

    pub fn fixed<const N: usize>(&mut self) -> Result<[u8; N], CursorError> {
        let (head, rest) = self.rest.split_first_chunk().ok_or(CursorError::Invalid)?;
        self.rest = rest;
        Ok(*head)
    }

    pub fn byte(&mut self) -> Result<u8, CursorError> {
        self.fixed::<1>().map(|[byte]| byte)
    }

    pub fn number(&mut self) -> Result<u64, CursorError> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            // The tenth byte has one bit left, and a zero at the end is not minimal.
            if (shift == 63 && bits > 1) || (shift > 0 && byte == 0) {
                return Err(CursorError::Invalid);
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(CursorError::Invalid)
    }

    pub fn signed(&mut self) -> Result<i64, CursorError> {
        let number = self.number()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    pub fn small(&mut self) -> Result<u32, CursorError> {
        u32::try_from(self.number()?).map_err(|_| CursorError::Invalid)
    }

    /// A count of at most `max`.
    pub fn count(&mut self, max: usize) -> Result<usize, CursorError> {
        usize::try_from(self.number()?).ok().filter(|n| *n <= max).ok_or(CursorError::Invalid)
    }

    pub fn stamp(&mut self, base: i64) -> Result<Timestamp, CursorError> {
        let second = self.signed()?.wrapping_add(base);
        let nanos = i32::try_from(self.signed()?).map_err(|_| CursorError::Invalid)?;
        let stamp = Timestamp::new(second, nanos).map_err(|_| CursorError::Invalid)?;
        let same = stamp.as_second() == second && stamp.subsec_nanosecond() == nanos;
        if same { Ok(stamp) } else { Err(CursorError::Invalid) }
    }
}
