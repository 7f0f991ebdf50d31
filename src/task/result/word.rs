//! The sidecar's word: its termination message.
//!
//! ```text
//! podlaunch-result/1 ready                        it has not been told to stop (yet)
//! podlaunch-result/1 missing                      there is no file
//! podlaunch-result/1 unreadable                   there is something, but no file that may be read
//! podlaunch-result/1 too-large SIZE
//! podlaunch-result/1 ok SIZE SHA256 log           the bytes are in the log only
//! podlaunch-result/1 ok SIZE SHA256 text⏎BYTES    … and here, as they are
//! podlaunch-result/1 ok SIZE SHA256 base64⏎LINES  … and here
//! ```

use data_encoding::{BASE64, HEXLOWER};
use sha2::Digest as _;

use super::MARK;

/// Size and hash of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest {
    /// Bytes.
    pub size: u64,
    /// SHA-256 of them.
    pub sha256: [u8; 32],
}

impl Digest {
    /// Of these bytes.
    pub fn of(data: &[u8]) -> Digest {
        Digest { size: data.len() as u64, sha256: sha2::Sha256::digest(data).into() }
    }

    /// Of `SIZE SHA256` as the sidecar writes them.
    pub(super) fn parse(size: &str, sha256: &str) -> Option<Digest> {
        let sha256 = HEXLOWER.decode(sha256.as_bytes()).ok()?.try_into().ok()?;
        Some(Digest { size: size.parse().ok()?, sha256 })
    }
}

/// What the sidecar found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// It never came to looking.
    Ready,
    /// There was no file.
    Missing,
    /// There was something that is no file, or may not be read.
    Unreadable,
    /// The file was larger than allowed.
    TooLarge {
        /// Bytes.
        size: u64,
    },
    /// The file was taken.
    Taken {
        /// What it was.
        digest: Digest,
        /// All of it, where the message has it.
        inline: Option<Vec<u8>>,
    },
}

impl Word {
    /// Reads a termination message; `None` is somebody else's.
    pub fn parse(message: &str) -> Option<Word> {
        let (head, rest) = message.split_once('\n').unwrap_or((message, ""));
        let head: Vec<&str> = head.strip_prefix(MARK)?.strip_prefix(' ')?.split(' ').collect();
        Some(match head[..] {
            ["ready"] => Word::Ready,
            ["missing"] => Word::Missing,
            ["unreadable"] => Word::Unreadable,
            ["too-large", size] => Word::TooLarge { size: size.parse().ok()? },
            ["ok", size, sha256, form] => {
                let digest = Digest::parse(size, sha256)?;
                let data = match form {
                    "text" => Some(rest.as_bytes().to_vec()),
                    "base64" => BASE64.decode(rest.replace('\n', "").as_bytes()).ok(),
                    _ => None,
                };
                // The kubelet cuts a message that is over its share.
                let inline = data.filter(|data| Digest::of(data) == digest);
                Word::Taken { digest, inline }
            }
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sha(data: &[u8]) -> String {
        HEXLOWER.encode(&Digest::of(data).sha256)
    }

    #[test]
    fn words() {
        let taken = |data: &[u8], inline: Option<&[u8]>| {
            Some(Word::Taken { digest: Digest::of(data), inline: inline.map(<[u8]>::to_vec) })
        };
        let (a, none, long) = (b"{\"a\": 1}\n", b"", [0xffu8; 100]);
        let coded = format!("{}\n{}\n", BASE64.encode(&long[..57]), BASE64.encode(&long[57..]));
        let rows: Vec<(String, Option<Word>)> = vec![
            ("ready\n".into(), Some(Word::Ready)),
            ("missing\n".into(), Some(Word::Missing)),
            ("unreadable".into(), Some(Word::Unreadable)),
            ("too-large 9\n".into(), Some(Word::TooLarge { size: 9 })),
            (format!("ok 9 {} text\n{{\"a\": 1}}\n", sha(a)), taken(a, Some(a))),
            (format!("ok 0 {} text\n", sha(none)), taken(none, Some(none))),
            (format!("ok 0 {} base64\n", sha(none)), taken(none, Some(none))),
            (format!("ok 100 {} base64\n{coded}", sha(&long)), taken(&long, Some(&long))),
            (format!("ok 100 {} log\n", sha(&long)), taken(&long, None)),
            // Cut by the kubelet.
            (format!("ok 9 {} text\n{{\"a\":", sha(a)), taken(a, None)),
            (format!("ok 100 {} base64\n{}", sha(&long), &coded[..50]), taken(&long, None)),
            // A form of a later version.
            (format!("ok 9 {} zstd\nxxx", sha(a)), taken(a, None)),
            ("ok 9".into(), None),
            (format!("ok nine {} text\n", sha(a)), None),
            ("ok 9 00 text\n".into(), None),
            ("too-large\n".into(), None),
            ("".into(), None),
            ("readyish".into(), None),
        ];
        for (text, word) in rows {
            assert_eq!(Word::parse(&format!("{MARK} {text}")), word, "{text}");
            assert_eq!(Word::parse(&text), None, "{text}");
        }
        assert_eq!(Word::parse(MARK), None);
        assert_eq!(Word::parse("podlaunch-result/10 ready"), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in ".{0,200}") {
            let _ = Word::parse(&text);
            let _ = Word::parse(&format!("{MARK} ok 1 {text}"));
        }
    }
}
