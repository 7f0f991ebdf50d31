//! The binary as a user calls it: arguments in, exit code and both outputs out.

use std::process::{Output, Stdio};

use super::backend::BINARY;
use super::wait;

/// What a call of the binary gave.
#[derive(Debug)]
pub struct Called {
    /// None: ended by a signal.
    pub code: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

/// Calls the binary and waits for its end.
pub async fn podlaunch(arguments: &[&str]) -> Called {
    let mut command = tokio::process::Command::new(BINARY);
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    // A log setting of the test run is not the user's.
    command.env_remove("RUST_LOG");
    let output = wait::guarded("the binary", command.output()).await;
    called(output.expect("the binary starts"))
}

fn called(output: Output) -> Called {
    Called {
        code: output.status.code(),
        stdout: output.stdout,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

impl Called {
    /// Standard output as lines of JSON; panics at a line that is not.
    #[track_caller]
    pub fn json(&self) -> Vec<serde_json::Value> {
        let text = String::from_utf8_lossy(&self.stdout);
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in line {line:?}\n{self:?}")))
            .collect()
    }
}
