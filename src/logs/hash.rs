//! A stable 64-bit hash (FNV-1a) whose state is the hash itself, so a line sent in pieces can be taken up again from a
//! cursor. It tells lines of equal stamp apart; it is no protection against somebody who forges a log, who could only
//! harm the reading of that log.

const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// The hash of no bytes.
pub(super) const EMPTY: u64 = OFFSET;

/// The hash of what `state` stands for, followed by `data`.
pub(super) fn extend(state: u64, data: &[u8]) -> u64 {
    data.iter().fold(state, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME))
}

/// The hash of `data`.
pub(super) fn of(data: &[u8]) -> u64 {
    extend(EMPTY, data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_fnv_1a_and_never_changes() {
        assert_eq!(of(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(of(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(of(b"foobar"), 0x8594_4171_f739_67e8);
        assert_eq!(extend(of(b"foo"), b"bar"), of(b"foobar"));
    }
}
