//! The `podlaunch` binary; see [`podlaunch::app`].

use std::process::ExitCode;

fn main() -> ExitCode {
    podlaunch::app::main()
}
