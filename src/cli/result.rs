//! `result`: what a finished task gave back, whole and as the server announced it.
//!
//! ```text
//! GetTaskResult ─▶ header: size, SHA-256 ─▶ data ─▶ stdout, or FILE.part ─▶ FILE
//!      ▲ broken: again, from the first byte that is missing                └ only when size and hash agree
//!      └────────────────────────────────────────┘
//! ```

use std::path::{Path, PathBuf};

use sha2::Digest as _;
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;
use tokio::time::Instant;
use tonic::Status;

use super::args::ResultArgs;
use super::exit::ExitStatus;
use super::failure::Failure;
use super::io::Console;
use super::session::Client;
use super::session::retry::{Backoff, CallEnd, judge, never_connected};
use crate::proto::v1;
use v1::get_task_result_response::Message;

pub(super) async fn result(args: &ResultArgs, client: &Client, console: &Console) -> Result<ExitStatus, Failure> {
    let mut download = Download { sink: Sink::open(args, console).await?, got: Got::default() };
    let ended = download.run(args, client).await;
    download.sink.close(&ended).await?;
    ended.map(|()| ExitStatus::SUCCESS)
}

/// Where the bytes go.
enum Sink {
    Stdout(Console),
    File {
        file: File,
        /// Where they are until all are there.
        part: PathBuf,
        path: PathBuf,
    },
}

impl Sink {
    async fn open(args: &ResultArgs, console: &Console) -> Result<Sink, Failure> {
        let Some(path) = &args.output else { return Ok(Sink::Stdout(console.clone())) };
        let mut part = path.clone().into_os_string();
        part.push(".part");
        let part = PathBuf::from(part);
        let file = File::create(&part).await.map_err(|source| cannot_write(&part, source))?;
        Ok(Sink::File { file, part, path: path.clone() })
    }

    async fn write(&mut self, data: &[u8]) -> Result<(), Failure> {
        match self {
            Sink::Stdout(console) => console.out(data).await.map_err(Failure::Output),
            Sink::File { file, part, .. } => file.write_all(data).await.map_err(|source| cannot_write(part, source)),
        }
    }

    /// The file appears under its name only if all is well.
    async fn close(self, ended: &Result<(), Failure>) -> Result<(), Failure> {
        let Sink::File { mut file, part, path } = self else { return Ok(()) };
        if ended.is_err() {
            drop(file);
            // Best effort: what went wrong before is what is told.
            let _ = tokio::fs::remove_file(&part).await;
            return Ok(());
        }
        file.flush().await.map_err(|source| cannot_write(&part, source))?;
        tokio::fs::rename(&part, &path).await.map_err(|source| cannot_write(&path, source))
    }
}

fn cannot_write(path: &Path, source: std::io::Error) -> Failure {
    Failure::Written { flag: "--output", path: path.to_owned(), source }
}

/// What has come.
#[derive(Default)]
struct Got {
    header: Option<v1::TaskResult>,
    bytes: u64,
    hash: sha2::Sha256,
}

/// Why one stream ended early.
enum Break {
    Status(Box<Status>),
    Final(Failure),
}

struct Download {
    sink: Sink,
    got: Got,
}

impl Download {
    async fn run(&mut self, args: &ResultArgs, client: &Client) -> Result<(), Failure> {
        let (mut backoff, mut progress) = (Backoff::new(), Instant::now());
        loop {
            let before = self.got.bytes;
            let status = match self.stream(args, client).await {
                Ok(()) => return self.verify(),
                Err(Break::Final(failure)) => return Err(failure),
                Err(Break::Status(status)) => status,
            };
            if self.got.bytes > before {
                (backoff, progress) = (Backoff::new(), Instant::now());
            }
            let CallEnd::Repeat(asked) = judge(&status) else { return Err(Failure::Call(status)) };
            // A server that is not there is an error at once: somebody is waiting for the answer.
            if self.got.header.is_none() && never_connected(&status) {
                return Err(Failure::Call(status));
            }
            let wait = backoff.step(asked);
            if progress.elapsed() + wait > args.retry.retry_for {
                return Err(Failure::GaveUp { seconds: progress.elapsed().as_secs(), status });
            }
            tokio::time::sleep(wait).await;
        }
    }

    async fn stream(&mut self, args: &ResultArgs, client: &Client) -> Result<(), Break> {
        let request = v1::GetTaskResultRequest { key: Some(args.task.key()), offset: self.got.bytes };
        let broken = |status: Status| Break::Status(Box::new(status));
        let mut messages = client.clone().get_task_result(request).await.map_err(broken)?.into_inner();
        while let Some(response) = messages.message().await.map_err(broken)? {
            match response.message {
                Some(Message::Header(header)) => self.header(header).map_err(Break::Final)?,
                Some(Message::Data(data)) => {
                    self.got.hash.update(&data);
                    self.got.bytes += data.len() as u64;
                    self.sink.write(&data).await.map_err(Break::Final)?;
                }
                None => {}
            }
        }
        Ok(())
    }

    fn header(&mut self, header: v1::TaskResult) -> Result<(), Failure> {
        match &self.got.header {
            Some(known) if (known.size_bytes, &known.sha256) != (header.size_bytes, &header.sha256) => {
                Err(Failure::Result { problem: "it is another one than before".to_owned() })
            }
            _ => {
                self.got.header = Some(header);
                Ok(())
            }
        }
    }

    fn verify(&self) -> Result<(), Failure> {
        let header = self.got.header.as_ref().ok_or(Failure::Answer { field: "header" })?;
        let size = header.size_bytes.ok_or(Failure::Answer { field: "header.size_bytes" })?;
        if self.got.bytes != size {
            let problem = format!("{} bytes came of {size}", self.got.bytes);
            return Err(Failure::Result { problem });
        }
        if self.got.hash.clone().finalize().as_slice() != header.sha256.as_ref() {
            return Err(Failure::Result { problem: "its SHA-256 is not the one announced".to_owned() });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use clap::Parser as _;

    use super::*;
    use crate::cli::testing::{Fake, Terminal, start};
    use crate::cli::{Cli, Command, execute};

    fn fake(faults: impl IntoIterator<Item = (usize, Status)>) -> Arc<Fake> {
        let data = (0..200_000u32).flat_map(u32::to_be_bytes).collect();
        Arc::new(Fake {
            result: data,
            result_faults: parking_lot::Mutex::new(faults.into_iter().collect()),
            ..Fake::default()
        })
    }

    async fn run(fake: &Arc<Fake>, line: &[&str]) -> (u8, Vec<u8>, String) {
        let line = ["podlaunch", "result", "default/hello#1"].iter().chain(line);
        let Command::Client(command) = Cli::try_parse_from(line).expect("a command line").command else {
            panic!("not a client's");
        };
        let server = start(fake);
        let (io, out, err, _ctrl_c) = Terminal::new().split();
        let status = execute(command, server.channel.clone(), io).await;
        (status.code(), out.bytes(), err.text())
    }

    #[tokio::test(start_paused = true)]
    async fn a_broken_stream_goes_on_where_it_broke() {
        let lost = || Status::unavailable("lost");
        let fake = fake([(0, lost()), (70_000, lost()), (70_000, lost()), (500_000, Status::aborted("slow"))]);
        let (code, out, err) = run(&fake, &[]).await;
        assert_eq!((code, err.as_str()), (0, ""));
        assert!(out == fake.result, "{} bytes came of {}", out.len(), fake.result.len());
        let offsets = fake.offsets.lock().clone();
        assert_eq!(offsets.len(), 5);
        assert!(offsets.is_sorted() && offsets[4] > 0, "{offsets:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_appears_only_when_it_is_whole() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("out");
        let to = path.to_str().expect("a path");
        let refused = fake([(70_000, Status::not_found("gone"))]);
        let (code, ..) = run(&refused, &["-o", to]).await;
        assert_eq!((code, std::fs::read_dir(dir.path()).unwrap().count()), (125, 0));
        let whole = fake([]);
        let (code, out, _) = run(&whole, &["-o", to]).await;
        assert_eq!((code, out.len()), (0, 0));
        assert!(std::fs::read(&path).unwrap() == whole.result);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn bytes_that_are_not_those_announced_are_no_success() {
        for (damage, problem) in [
            (crate::cli::testing::Damage::Changed, "its SHA-256 is not the one announced"),
            (crate::cli::testing::Damage::Short, "bytes came of 800000"),
        ] {
            let mut fake = Arc::into_inner(fake([])).expect("the only one");
            fake.result_damage = Some(damage);
            let (code, _, err) = run(&Arc::new(fake), &[]).await;
            assert_eq!(code, 125);
            assert!(err.contains(problem), "{err}");
        }
    }
}
