//! The opaque form.
//!
//! ```text
//!   version │ binding 8 │ flags │ uid │ log start │ notices │ state │ remarks │ names │ containers │ logs │ crc32
//! ```
//!
//! The version comes first and the CRC last in every version, so that a newer cursor can be told
//! from a damaged one.

use super::wire::{Reader, Writer};
use super::{
    ContainerMark, Cursor, CursorError, LogMark, LogStart, MAX_CURSOR, MAX_ENTRIES, MAX_REMARKS, MAX_STATE_PASSED,
    MAX_WAITING_PASSED, StateMark,
};
use crate::logs::{
    Counted, DeliveryBuilder, FirstLine, FirstRead, LineMark, Position, Rotation, TruncatedCause, UnverifiedCause,
    Verdict,
};

const VERSION: u8 = 1;
const CRC: usize = 4;
const NAME: usize = 6;
const UUID: usize = 16;
const MAX_UID: usize = 128;

const ENDED: u8 = 1;
const STATE_FULL: u8 = 2;
const UID_IS_UUID: u8 = 4;
const STARTS_AT_TAIL: u8 = 8;
const STARTS_AT_TIME: u8 = 16;
const FLAGS: u8 = ENDED | STATE_FULL | UID_IS_UUID | STARTS_AT_TAIL | STARTS_AT_TIME;

/// What is left out of a cursor that would be too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Detail {
    Full,
    /// No hashes of passed events: further events of the same place will not be told.
    NoHashes,
    /// Nor the logs' first lines: a rotation can then not be excluded any more.
    NoFirstLines,
}

pub(super) fn encode(cursor: &Cursor) -> Vec<u8> {
    let names = names(cursor);
    let bound = 1024 + 48 * names.len();
    let full = write(cursor, &names, Detail::Full);
    if full.len() <= bound {
        return full;
    }
    let short = write(cursor, &names, Detail::NoHashes);
    if short.len() <= bound { short } else { write(cursor, &names, Detail::NoFirstLines) }
}

fn names(cursor: &Cursor) -> Vec<u64> {
    let mut names: Vec<u64> = cursor.containers.iter().map(|c| c.name).collect();
    names.extend(cursor.logs.iter().map(|l| l.container));
    names.sort_unstable();
    names.dedup();
    names
}

fn write(cursor: &Cursor, names: &[u64], detail: Detail) -> Vec<u8> {
    let mut w = Writer::default();
    w.byte(VERSION);
    w.raw(&cursor.binding.to_be_bytes());
    let uuid = parse_uuid(&cursor.pod_uid);
    let hidden = detail != Detail::Full && !cursor.state.passed.is_empty();
    let flag = |set: bool, bit: u8| if set { bit } else { 0 };
    let full = cursor.state.full || hidden;
    let start = match cursor.log_start {
        LogStart::Beginning => 0,
        LogStart::Tail { .. } => STARTS_AT_TAIL,
        LogStart::Since(_) => STARTS_AT_TIME,
    };
    w.byte(start | flag(cursor.ended, ENDED) | flag(full, STATE_FULL) | flag(uuid.is_some(), UID_IS_UUID));
    match uuid {
        Some(uuid) => w.raw(&uuid),
        None => {
            w.count(cursor.pod_uid.len());
            w.raw(cursor.pod_uid.as_bytes());
        }
    }
    match cursor.log_start {
        LogStart::Beginning => {}
        LogStart::Tail { lines, asked } => {
            w.number(u64::from(lines));
            w.stamp(asked, 0);
        }
        LogStart::Since(time) => w.stamp(time, 0),
    }
    w.number(cursor.notice_version);
    w.byte(cursor.state.base);
    write_hashes(&mut w, if detail == Detail::Full { &cursor.state.passed } else { &[] });
    write_hashes(&mut w, &cursor.remarks);
    w.count(names.len());
    for name in names {
        w.raw(&name.to_be_bytes()[8 - NAME..]);
    }
    w.count(cursor.containers.len());
    for mark in &cursor.containers {
        write_container(&mut w, mark, names, detail);
    }
    w.count(cursor.logs.len());
    for mark in &cursor.logs {
        write_log(&mut w, mark, names, detail);
    }
    let crc = crc32fast::hash(&w.bytes);
    w.raw(&crc.to_be_bytes());
    w.bytes
}

fn write_hashes(w: &mut Writer, hashes: &[u64]) {
    w.count(hashes.len());
    for hash in hashes {
        w.raw(&hash.to_be_bytes());
    }
}

fn write_container(w: &mut Writer, mark: &ContainerMark, names: &[u64], detail: Detail) {
    let keep = detail == Detail::Full;
    let full = mark.full || (!keep && !mark.passed.is_empty());
    w.count(names.partition_point(|n| *n < mark.name));
    w.number(u64::from(mark.restart));
    w.byte(mark.rank | if full { 0x80 } else { 0 });
    let passed: &[u32] = if keep { &mark.passed } else { &[] };
    w.count(passed.len());
    for hash in passed {
        w.raw(&hash.to_be_bytes());
    }
}

fn write_log(w: &mut Writer, mark: &LogMark, names: &[u64], detail: Detail) {
    w.count(names.partition_point(|n| *n < mark.container));
    w.number(u64::from(mark.restart));
    w.byte(delivery_flags(&mark.delivery));
    w.number(mark.delivery.gaps);
    w.byte(mark.ended.map_or(0, verdict_code));
    let first = mark.position.first.filter(|_| detail != Detail::NoFirstLines);
    write_position(w, &Position { first, ..mark.position.clone() });
}

fn delivery_flags(d: &DeliveryBuilder) -> u8 {
    let first = match d.first_read {
        None => 0,
        Some(FirstRead::AtStart) => 1,
        Some(FirstRead::WhileRunning) => 2,
        Some(FirstRead::AfterEnd) => 3,
    };
    first | u8::from(d.deleted) << 2 | u8::from(d.ended_mid_line) << 3
}

fn verdict_code(verdict: Verdict) -> u8 {
    VERDICTS.iter().position(|v| *v == verdict).map_or(0, |at| at as u8 + 1)
}

/// Their order is part of the format.
const VERDICTS: [Verdict; 10] = [
    Verdict::Complete,
    Verdict::Unverified(UnverifiedCause::Rotated),
    Verdict::Unverified(UnverifiedCause::PodDeleted),
    Verdict::Truncated(TruncatedCause::DrainTimeout),
    Verdict::Truncated(TruncatedCause::NodeUnreachable),
    Verdict::Truncated(TruncatedCause::PodGone),
    Verdict::Truncated(TruncatedCause::LogRemoved),
    Verdict::Truncated(TruncatedCause::Refused),
    Verdict::NotRequested,
    Verdict::Truncated(TruncatedCause::Restarted),
];

const HAS_HIGH: u8 = 1;
const HAS_LAST: u8 = 2;
const LAST_IS_HIGH: u8 = 4;
const HAS_PARTIAL: u8 = 8;
const HAS_FIRST: u8 = 16;
const COUNT_UNKNOWN: u8 = 32;
const ROTATED: u8 = 64;

fn write_position(w: &mut Writer, p: &Position) {
    let last_is_high = p.last.is_some_and(|l| Some(l.stamp) == p.high);
    let unknown = matches!(p.counted, Counted::Unknown { .. });
    let flag = |set: bool, bit: u8| if set { bit } else { 0 };
    w.byte(
        flag(p.high.is_some(), HAS_HIGH)
            | flag(p.last.is_some(), HAS_LAST)
            | flag(last_is_high, LAST_IS_HIGH)
            | flag(p.partial.is_some(), HAS_PARTIAL)
            | flag(p.first.is_some(), HAS_FIRST)
            | flag(unknown, COUNT_UNKNOWN)
            | flag(p.rotation == Rotation::Seen, ROTATED),
    );
    w.number(p.lines);
    w.number(p.bytes);
    w.number(p.count);
    w.number(p.later);
    if let Counted::Unknown { exact_from } = p.counted {
        w.signed(exact_from);
    }
    if let Some(high) = p.high {
        w.stamp(high, 0);
    }
    let base = p.high.map_or(0, |h| h.as_second());
    if let Some(last) = p.last {
        write_line(w, &last, base, last_is_high);
    }
    if let Some(partial) = p.partial {
        write_line(w, &partial, base, false);
    }
    if let Some(first) = p.first {
        w.stamp(first.stamp, base);
        w.raw(&first.hash.to_be_bytes());
    }
}

fn write_line(w: &mut Writer, line: &LineMark, base: i64, stamp_known: bool) {
    if !stamp_known {
        w.stamp(line.stamp, base);
    }
    w.raw(&line.hash.to_be_bytes());
    w.number(line.len);
}

pub(super) fn decode(bytes: &[u8], binding: u64) -> Result<Cursor, CursorError> {
    if bytes.len() > MAX_CURSOR {
        return Err(CursorError::Invalid);
    }
    let (body, crc) = bytes.split_last_chunk::<CRC>().ok_or(CursorError::Invalid)?;
    if crc32fast::hash(body) != u32::from_be_bytes(*crc) {
        return Err(CursorError::Invalid);
    }
    let mut r = Reader::new(body);
    match r.byte()? {
        VERSION => {}
        0 => return Err(CursorError::Invalid),
        _ => return Err(CursorError::Unsupported),
    }
    let found = u64::from_be_bytes(r.fixed()?);
    if found != binding {
        return Err(CursorError::Foreign);
    }
    let cursor = read(&mut r, binding)?;
    if r.is_empty() { Ok(cursor) } else { Err(CursorError::Invalid) }
}

fn read(r: &mut Reader<'_>, binding: u64) -> Result<Cursor, CursorError> {
    let flags = r.byte()?;
    if flags & !FLAGS != 0 {
        return Err(CursorError::Invalid);
    }
    let pod_uid = read_uid(r, flags & UID_IS_UUID != 0)?;
    let log_start = match flags & (STARTS_AT_TAIL | STARTS_AT_TIME) {
        0 => LogStart::Beginning,
        STARTS_AT_TAIL => LogStart::Tail { lines: r.small()?, asked: r.stamp(0)? },
        STARTS_AT_TIME => LogStart::Since(r.stamp(0)?),
        _ => return Err(CursorError::Invalid),
    };
    let notice_version = r.number()?;
    let base = r.byte()?;
    let passed = read_hashes(r, MAX_STATE_PASSED)?;
    let remarks = read_hashes(r, MAX_REMARKS)?;
    let names = read_names(r)?;
    let containers = (0..r.count(MAX_ENTRIES)?).map(|_| read_container(r, &names)).collect::<Result<_, _>>()?;
    let logs = (0..r.count(MAX_ENTRIES)?).map(|_| read_log(r, &names)).collect::<Result<_, _>>()?;
    let state = StateMark { base, passed, full: flags & STATE_FULL != 0 };
    let ended = flags & ENDED != 0;
    Ok(Cursor { binding, pod_uid, state, containers, logs, notice_version, remarks, ended, log_start })
}

fn read_uid(r: &mut Reader<'_>, is_uuid: bool) -> Result<String, CursorError> {
    if is_uuid {
        return Ok(format_uuid(&r.fixed::<UUID>()?));
    }
    let len = r.count(MAX_UID)?;
    let uid = std::str::from_utf8(r.raw(len)?).map_err(|_| CursorError::Invalid)?;
    Ok(uid.to_string())
}

fn read_hashes(r: &mut Reader<'_>, max: usize) -> Result<Vec<u64>, CursorError> {
    (0..r.count(max)?).map(|_| Ok(u64::from_be_bytes(r.fixed()?))).collect()
}

fn read_names(r: &mut Reader<'_>) -> Result<Vec<u64>, CursorError> {
    let read = |r: &mut Reader<'_>| Ok(r.fixed::<NAME>()?.iter().fold(0, |n, b| (n << 8) | u64::from(*b)));
    (0..r.count(2 * MAX_ENTRIES)?).map(|_| read(r)).collect()
}

fn read_name(r: &mut Reader<'_>, names: &[u64]) -> Result<u64, CursorError> {
    let at = r.count(names.len())?;
    names.get(at).copied().ok_or(CursorError::Invalid)
}

fn read_container(r: &mut Reader<'_>, names: &[u64]) -> Result<ContainerMark, CursorError> {
    let (name, restart, rank) = (read_name(r, names)?, r.small()?, r.byte()?);
    let passed = (0..r.count(MAX_WAITING_PASSED)?).map(|_| Ok(u32::from_be_bytes(r.fixed()?)));
    let passed = passed.collect::<Result<_, CursorError>>()?;
    Ok(ContainerMark { name, restart, rank: rank & 0x7f, passed, full: rank & 0x80 != 0 })
}

fn read_log(r: &mut Reader<'_>, names: &[u64]) -> Result<LogMark, CursorError> {
    let (container, restart, flags) = (read_name(r, names)?, r.small()?, r.byte()?);
    let first_read = match flags & 3 {
        0 => None,
        1 => Some(FirstRead::AtStart),
        2 => Some(FirstRead::WhileRunning),
        _ => Some(FirstRead::AfterEnd),
    };
    if flags >> 4 != 0 {
        return Err(CursorError::Invalid);
    }
    let (deleted, ended_mid_line) = (flags & 4 != 0, flags & 8 != 0);
    let delivery = DeliveryBuilder { first_read, gaps: r.number()?, deleted, ended_mid_line };
    let ended = match r.byte()? {
        0 => None,
        code => Some(*VERDICTS.get(usize::from(code) - 1).ok_or(CursorError::Invalid)?),
    };
    Ok(LogMark { container, restart, position: read_position(r)?, delivery, ended })
}

fn read_position(r: &mut Reader<'_>) -> Result<Position, CursorError> {
    let flags = r.byte()?;
    let has = |bit: u8| flags & bit != 0;
    if has(0x80) || (has(LAST_IS_HIGH) && !(has(HAS_LAST) && has(HAS_HIGH))) {
        return Err(CursorError::Invalid);
    }
    let (lines, bytes, count, later) = (r.number()?, r.number()?, r.number()?, r.number()?);
    let counted = if has(COUNT_UNKNOWN) { Counted::Unknown { exact_from: r.signed()? } } else { Counted::FromFirst };
    let high = if has(HAS_HIGH) { Some(r.stamp(0)?) } else { None };
    let base = high.map_or(0, |h| h.as_second());
    let known = high.filter(|_| has(LAST_IS_HIGH));
    let last = if has(HAS_LAST) { Some(read_line(r, base, known)?) } else { None };
    let partial = if has(HAS_PARTIAL) { Some(read_line(r, base, None)?) } else { None };
    let first = if has(HAS_FIRST) {
        Some(FirstLine { stamp: r.stamp(base)?, hash: u64::from_be_bytes(r.fixed()?) })
    } else {
        None
    };
    let rotation = if has(ROTATED) { Rotation::Seen } else { Rotation::NotSeen };
    Ok(Position { lines, counted, bytes, high, count, later, last, partial, first, rotation })
}

fn read_line(r: &mut Reader<'_>, base: i64, known: Option<jiff::Timestamp>) -> Result<LineMark, CursorError> {
    let stamp = match known {
        Some(stamp) => stamp,
        None => r.stamp(base)?,
    };
    Ok(LineMark { stamp, hash: u64::from_be_bytes(r.fixed()?), len: r.number()? })
}

/// The sixteen bytes of a uid in the usual form, which all of Kubernetes' are.
fn parse_uuid(uid: &str) -> Option<[u8; UUID]> {
    let digits: String = uid.split('-').collect();
    let bytes: [u8; UUID] = data_encoding::HEXLOWER.decode(digits.as_bytes()).ok()?.try_into().ok()?;
    (format_uuid(&bytes) == uid).then_some(bytes)
}

fn format_uuid(bytes: &[u8; UUID]) -> String {
    let hex = data_encoding::HEXLOWER.encode(bytes);
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}
