//! What a kubelet writes into the body of a 200 when it cannot go on: its text follows the log without a stamp and
//! without a newline.

/// How these texts begin.
const BEGINNINGS: [&[u8]; 12] = [
    b"unable to retrieve container logs for ",
    b"failed to try resolving symlinks ",
    b"failed to open log file ",
    b"failed to create fsnotify watcher",
    b"failed to watch file ",
    b"failed to read log file ",
    b"failed to get container status ",
    b"failed to seek ",
    b"rpc error: ",
    b"an error occurred when try to find container ",
    b"Internal Error: ",
    b"Error: ",
];

/// Whether `text`, found without a stamp at the end of a body, is a text of the kubelet rather than part of a line.
/// It only names what was found: bytes without a stamp are never handed on as a line, known or not.
pub fn is_known_error_text(text: &[u8]) -> bool {
    BEGINNINGS.iter().any(|beginning| text.starts_with(beginning))
}
