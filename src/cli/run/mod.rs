//! `run`: one task, from its launch to its exit code.
//!
//! ```text
//! flags, manifest ─▶ LaunchTask ─▶ Session ─▶ Printer ─▶ Termination ─▶ ExitStatus
//!                                     │ Accepted's key
//! Ctrl-C ─▶ CancelTask ◀──────────────┘         the session goes on to its Termination
//! Ctrl-C ─▶ leave
//!
//! --dry-run=client ─▶ dry.rs: the pod, made in this process
//! --dry-run=server ─▶ LaunchTask, validate_only ─▶ dry.rs
//! ```

mod dry;
mod input;
mod stop;
#[cfg(test)]
mod tests;

use std::time::Duration;

use futures::StreamExt as _;
use tokio::sync::watch;

use super::args::{Format, RunArgs, RunFormat};
use super::exit::ExitStatus;
use super::failure::Failure;
use super::io::{Console, Interrupts};
use super::print::{Printer, Story, json, text};
use super::request;
use super::session::{Client, Opening, Session, Update};
use crate::proto::v1;
pub use dry::Preview;
pub(super) use dry::preview;

pub(super) async fn run(
    args: &RunArgs,
    client: Client,
    console: Console,
    interrupts: Interrupts,
) -> Result<ExitStatus, Failure> {
    let request = request(args).await?;
    let format = stream_format(args)?;
    let opening = Opening::Launch(Box::new(request.clone()));
    let mut session = Session::new(client.clone(), opening, args.retry.retry_for);
    if args.output.dry_run.is_some() {
        return dry::server(&mut session, args.output.output, &console).await;
    }
    let marks = request::marks(&request);
    let mut printer = Printer::new(console.clone(), format, marks, Story::Whole);
    if args.output.validate_only {
        return validate(&mut session, &mut printer, &console, format).await;
    }
    if args.output.detach {
        return detach(&mut session, &mut printer, &console, format).await;
    }
    let (accepted, known) = watch::channel(None);
    let stop = stop::Stop { client, asked: request.key.unwrap_or_default(), known: known.clone() };
    let result = supervise(pump(session, printer, accepted), stop, console.clone(), interrupts).await;
    let launched = known.borrow().clone();
    if let (Err(Failure::GaveUp { .. }), Some(key)) = (&result, launched) {
        let name = text::key(&key);
        console.err(&format!("{name} goes on without podlaunch; `podlaunch logs -f {name}` reads on")).await;
    }
    result
}

/// What the flags ask for, the files they name read.
async fn request(args: &RunArgs) -> Result<v1::LaunchTaskRequest, Failure> {
    let manifest = input::manifest(args.file.as_deref()).await?;
    let task_id = args.identity.task_id.clone().unwrap_or_else(random_task_id);
    request::launch(&input::texts(args).await?, task_id, manifest)
}

/// How events are printed; YAML is for pods only.
fn stream_format(args: &RunArgs) -> Result<Format, Failure> {
    match args.output.output {
        RunFormat::Text => Ok(Format::Text),
        RunFormat::Json => Ok(Format::Json),
        RunFormat::Yaml if args.output.dry_run.is_some() => Ok(Format::Text),
        RunFormat::Yaml => Err(Failure::Flag {
            flag: "--output",
            problem: "events are not printed as YAML: use json, or --dry-run to see the pod".to_owned(),
        }),
    }
}

/// How long a last word may take.
const LEAVING: Duration = Duration::from_millis(100);

fn random_task_id() -> String {
    let random = uuid::Uuid::new_v4().simple().to_string();
    format!("run-{}", &random[..8])
}

/// Prints until the task's end.
async fn pump(
    mut session: Session,
    mut printer: Printer,
    accepted: watch::Sender<Option<v1::TaskKey>>,
) -> Result<ExitStatus, Failure> {
    let mut status = None;
    while let Some(update) = session.next().await? {
        match &update {
            Update::Accepted(first) => {
                accepted.send_replace(first.key.clone());
            }
            Update::Event(v1::Event { body: Some(v1::event::Body::Termination(end)), .. }) => {
                status = end.outcome.as_ref().map(ExitStatus::of_outcome)
            }
            _ => {}
        }
        printer.show(&update).await?;
    }
    status.ok_or(Failure::Answer { field: "termination.outcome" })
}

/// Lets `work` go on to its end; the first Ctrl-C cancels the task, the second leaves.
///
/// All three wait beside each other: neither a stdout that nobody reads nor a server that does not answer keeps a
/// Ctrl-C from being noticed.
async fn supervise(
    work: impl Future<Output = Result<ExitStatus, Failure>>,
    stop: stop::Stop,
    console: Console,
    interrupts: Interrupts,
) -> Result<ExitStatus, Failure> {
    tokio::pin!(work);
    // A source of interrupts that ends never interrupts again.
    let mut interrupts = interrupts.chain(futures::stream::pending());
    tokio::select! {
        biased;
        result = &mut work => return result,
        _ = interrupts.next() => {}
    }
    let asked = stop.asked.clone();
    let stopping = stop.run(&console);
    tokio::pin!(stopping);
    let mut answered = None;
    loop {
        tokio::select! {
            biased;
            result = &mut work => return result,
            _ = interrupts.next() => break,
            () = &mut stopping, if answered.is_none() => answered = Some(()),
        }
    }
    if answered.is_none() {
        let name = text::key(&asked);
        let note = format!("left before the stop of {name} was confirmed; `podlaunch cancel {name}` asks again");
        // Best effort: leaving must not wait for whoever does not read stderr.
        let _ = tokio::time::timeout(LEAVING, console.err(&note)).await;
    }
    Ok(ExitStatus::CANCELLED)
}

/// Waits for the task to be there, prints its name and leaves it.
async fn detach(
    session: &mut Session,
    printer: &mut Printer,
    console: &Console,
    format: Format,
) -> Result<ExitStatus, Failure> {
    while let Some(update) = session.next().await? {
        printer.show(&update).await?;
        let Update::Accepted(accepted) = &update else {
            continue;
        };
        if format == Format::Text {
            let key = accepted.key.as_ref().ok_or(Failure::Answer { field: "accepted.key" })?;
            let line = format!("{}\n", text::key(key));
            console.out(line.as_bytes()).await.map_err(Failure::Output)?;
        }
        return Ok(ExitStatus::SUCCESS);
    }
    Err(Failure::Answer { field: "accepted" })
}

/// Prints the pod as the cluster would make it.
async fn validate(
    session: &mut Session,
    printer: &mut Printer,
    console: &Console,
    format: Format,
) -> Result<ExitStatus, Failure> {
    while let Some(update) = session.next().await? {
        printer.show(&update).await?;
        let Update::Validated(validated) = &update else {
            continue;
        };
        if format == Format::Text {
            for warning in &validated.warnings {
                console.err(&format!("warning: {}", text::sanitize(warning))).await;
            }
            let summary = format!("pod {} is valid, {}", validated.pod_name, validated.fingerprint);
            console.err(&text::sanitize(&summary)).await;
            let pod = json::pretty(&validated.pod_json);
            console.out(pod.as_bytes()).await.map_err(Failure::Output)?;
        }
        return Ok(ExitStatus::SUCCESS);
    }
    Err(Failure::Answer { field: "validated" })
}
