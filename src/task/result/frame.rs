//! The result in the sidecar's log, as `pods/log` gives it with timestamps.
//!
//! ```text
//! podlaunch-result/1 begin SIZE SHA256
//! base64 lines
//! podlaunch-result/1 end
//! …                                      padding, for runtimes that lose the end of a burst before the exit
//! ```
//!
//! Nothing here is believed that has not the size and hash of the sidecar's word.

use data_encoding::{BASE64, BASE64_NOPAD};
use sha2::Digest as _;

use super::{Digest, MARK};
use crate::logs::{Parsed, Parser, Part};

/// Longest base64 line, bytes; tools write 76.
const MAX_LINE: usize = 8 * 1024;

/// Why a log does not have the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The log ended before the frame did.
    #[error("the sidecar's log ends before the result does")]
    Incomplete,
    /// The frame announces another result.
    #[error("the sidecar's log has another result than the outcome names")]
    Foreign,
    /// What is between its first and last line is not base64, or not of the size and hash announced.
    #[error("the result in the sidecar's log is damaged")]
    Damaged,
}

/// Reads one log body in chunks of any size.
#[derive(Debug)]
pub struct FrameReader {
    parser: Parser,
    frame: Frame,
}

impl FrameReader {
    /// For the result that the sidecar's word names.
    pub fn new(expected: Digest) -> Self {
        FrameReader {
            parser: Parser::new(),
            frame: Frame { expected, place: Place::Before, line: Vec::new(), hash: sha2::Sha256::new(), read: 0 },
        }
    }

    /// Takes the next bytes of the body and appends those of the result to `out`.
    ///
    /// # Errors
    ///
    /// What was appended before is not to be believed.
    pub fn feed(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<(), FrameError> {
        let (parser, frame) = (&mut self.parser, &mut self.frame);
        let mut result = Ok(());
        parser.feed(chunk, &mut |parsed| {
            if let (Ok(()), Parsed::Piece(piece)) = (&result, parsed) {
                result = frame.piece(piece.part, piece.data, out);
            }
        });
        result
    }

    /// Whether the result was read whole and is the one expected.
    pub fn is_complete(&self) -> bool {
        self.frame.place == Place::After
    }

    /// The body has ended.
    ///
    /// # Errors
    ///
    /// [`FrameError::Incomplete`] where more should have come.
    pub fn finish(&self) -> Result<(), FrameError> {
        if self.is_complete() { Ok(()) } else { Err(FrameError::Incomplete) }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Before,
    Within,
    /// A line with padding was read: no other may follow.
    Padded,
    After,
}

#[derive(Debug)]
struct Frame {
    expected: Digest,
    place: Place,
    /// What of the present line is here.
    line: Vec<u8>,
    hash: sha2::Sha256,
    read: u64,
}

impl Frame {
    fn piece(&mut self, part: Part, data: &[u8], out: &mut Vec<u8>) -> Result<(), FrameError> {
        if part.begins() {
            self.line.clear();
        }
        if self.place == Place::After {
            return Ok(());
        }
        // Only the padding has lines of any length.
        if self.line.len() + data.len() > MAX_LINE {
            return if self.place == Place::Before { Ok(()) } else { Err(FrameError::Damaged) };
        }
        self.line.extend_from_slice(data);
        if !part.ends() {
            return Ok(());
        }
        let line = std::mem::take(&mut self.line);
        let result = self.line(line.trim_ascii_end(), out);
        self.line = line;
        result
    }

    fn line(&mut self, line: &[u8], out: &mut Vec<u8>) -> Result<(), FrameError> {
        let own = line.strip_prefix(MARK.as_bytes()).and_then(|rest| rest.strip_prefix(b" "));
        match (self.place, own) {
            (Place::Before, Some(own)) => self.begin(own),
            (Place::Before, None) | (Place::After, _) => Ok(()),
            (Place::Within | Place::Padded, Some(b"end")) => self.end(),
            (Place::Within, None) => self.data(line, out),
            (Place::Within | Place::Padded, _) => Err(FrameError::Damaged),
        }
    }

    fn begin(&mut self, own: &[u8]) -> Result<(), FrameError> {
        let words: Vec<&str> = std::str::from_utf8(own).unwrap_or_default().split(' ').collect();
        let ["begin", size, sha256] = words[..] else { return Ok(()) };
        if Digest::parse(size, sha256) != Some(self.expected) {
            return Err(FrameError::Foreign);
        }
        self.place = Place::Within;
        Ok(())
    }

    fn data(&mut self, line: &[u8], out: &mut Vec<u8>) -> Result<(), FrameError> {
        let padded = line.ends_with(b"=");
        let coding = if padded { &BASE64 } else { &BASE64_NOPAD };
        // Without padding only whole groups of four have one meaning.
        let bytes = coding.decode(line).ok().filter(|_| line.len().is_multiple_of(4)).ok_or(FrameError::Damaged)?;
        self.read += bytes.len() as u64;
        if self.read > self.expected.size {
            return Err(FrameError::Damaged);
        }
        if padded {
            self.place = Place::Padded;
        }
        self.hash.update(&bytes);
        out.extend_from_slice(&bytes);
        Ok(())
    }

    fn end(&mut self) -> Result<(), FrameError> {
        let sha256: [u8; 32] = std::mem::take(&mut self.hash).finalize().into();
        if (Digest { size: self.read, sha256 }) != self.expected {
            return Err(FrameError::Damaged);
        }
        self.place = Place::After;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const STAMP: &str = "2026-07-30T12:34:56.000000001Z ";

    /// The log as the sidecar writes it and the kubelet gives it.
    fn log(data: &[u8], width: usize) -> Vec<u8> {
        let digest = Digest::of(data);
        let mut lines = vec![format!("{MARK} begin {} {}", digest.size, HEXLOWER.encode(&digest.sha256))];
        lines.extend(data.chunks(width / 4 * 3).map(|part| BASE64.encode(part)));
        lines.push(format!("{MARK} end"));
        lines.push(".".repeat(200_000));
        lines.iter().map(|line| format!("{STAMP}{line}\n")).collect::<String>().into_bytes()
    }

    fn read(expected: Digest, body: &[u8], chunk: usize) -> Result<Vec<u8>, FrameError> {
        let mut reader = FrameReader::new(expected);
        let mut out = Vec::new();
        body.chunks(chunk).try_for_each(|chunk| reader.feed(chunk, &mut out))?;
        reader.finish().map(|()| out)
    }

    #[test]
    fn what_is_not_the_result_is_refused() {
        let data: Vec<u8> = (0..1000u32).map(|n| (n * 7) as u8).collect();
        let (digest, good) = (Digest::of(&data), log(&data, 76));
        let text = String::from_utf8(good.clone()).unwrap();
        let changed = |from: &str, to: &str| {
            assert!(text.contains(from), "{from}");
            read(digest, text.replacen(from, to, 1).as_bytes(), 100)
        };
        assert_eq!(read(digest, &good, 1), Ok(data.clone()));
        assert_eq!(read(Digest::of(b"other"), &good, 100), Err(FrameError::Foreign));
        assert_eq!(read(digest, b"", 100), Err(FrameError::Incomplete));
        assert_eq!(read(digest, &good[..good.len() - 200_500], 100), Err(FrameError::Incomplete));
        assert_eq!(changed("begin 1000", "began 1000"), Err(FrameError::Incomplete));
        assert_eq!(changed("begin 1000", "begin 1001"), Err(FrameError::Foreign));
        let line = BASE64.encode(&data[57..114]);
        assert_eq!(changed(&line, &line[..75]), Err(FrameError::Damaged));
        assert_eq!(changed(&line, &line[..72]), Err(FrameError::Damaged));
        assert_eq!(changed(&line, &line.to_lowercase()), Err(FrameError::Damaged));
        assert_eq!(changed(&line, &format!("{line}\n{STAMP}{line}")), Err(FrameError::Damaged));
        assert_eq!(changed(&line, "hello, world"), Err(FrameError::Damaged));
        assert_eq!(changed(&line, &".".repeat(100_000)), Err(FrameError::Damaged));
        // Noise before and after is not the frame's.
        let noisy =
            [format!("{STAMP}hello\n{STAMP}{}\n", "x".repeat(100_000)).as_bytes(), &good, b"rpc error: x"].concat();
        assert_eq!(read(digest, &noisy, 77), Ok(data));
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_chunks_come_back(data in vec(any::<u8>(), 0..5000), chunk in 1usize..3000, width in 1usize..200) {
            prop_assert_eq!(read(Digest::of(&data), &log(&data, width * 4), chunk), Ok(data));
        }

        #[test]
        fn a_damaged_log_never_gives_another_result(
            data in vec(any::<u8>(), 1..400), at in any::<prop::sample::Index>(), to in any::<u8>(), chunk in 1usize..300,
        ) {
            let mut body = log(&data, 76);
            let at = at.index(body.len() - 200_000);
            body[at] = to;
            if let Ok(found) = read(Digest::of(&data), &body, chunk) {
                prop_assert_eq!(found, data);
            }
        }

        #[test]
        fn any_log_is_read_without_panic(body in vec(any::<u8>(), 0..2000), chunk in 1usize..300) {
            prop_assert!(read(Digest::of(b"x"), &body, chunk).is_err());
            let started = [log(b"x", 4)[..130].to_vec(), body].concat();
            if let Ok(found) = read(Digest::of(b"x"), &started, chunk) {
                prop_assert_eq!(found, b"x");
            }
        }
    }
}
