//! `get`, `cancel`, `templates` and `info`: one call, one answer.

use super::args::{CancelArgs, DeleteArgs, Format, GetArgs, InfoArgs, TaskFormat, TemplatesArgs};
use super::call::call;
use super::exit::ExitStatus;
use super::failure::Failure;
use super::io::Console;
use super::print::{json, table, text};
use super::request::proto_duration;
use super::session::Client;
use crate::proto::v1;

pub(super) async fn get(args: &GetArgs, client: &Client, console: &Console) -> Result<ExitStatus, Failure> {
    let request = v1::GetTaskRequest { key: Some(args.task.key()) };
    let answer = call(request, |request| {
        let mut client = client.clone();
        async move { client.get_task(request).await }
    })
    .await?;
    let task = answer.task.ok_or(Failure::Answer { field: "task" })?;
    let shown = match args.output {
        TaskFormat::Text => table::task(&task, console.out_colour).into_bytes(),
        TaskFormat::Wide => {
            let more = table::more(&task);
            format!("{}{more}", table::task(&task, console.out_colour)).into_bytes()
        }
        TaskFormat::Json => json::line(&json::TaskJson::of(&task)),
        TaskFormat::Yaml => json::to_yaml(&json::TaskJson::of(&task)).into_bytes(),
    };
    print(console, &shown).await
}

pub(super) async fn cancel(args: &CancelArgs, client: &Client, console: &Console) -> Result<ExitStatus, Failure> {
    let request = v1::CancelTaskRequest {
        key: Some(args.task.key()),
        grace: args.grace.map(proto_duration),
        reason: args.reason.clone(),
        allow_missing: args.allow_missing,
    };
    let answer = send_cancel(request, client).await?;
    let shown = match args.output {
        Format::Text => format!("{}\n", cancelled(&answer)).into_bytes(),
        Format::Json => json::line(&json::CancelledJson::of(&answer)),
    };
    print(console, &shown).await
}

pub(super) async fn delete(args: &DeleteArgs, client: &Client, console: &Console) -> Result<ExitStatus, Failure> {
    let request = v1::DeleteTaskRequest { key: Some(args.task.key()), pod_uid: args.pod_uid.clone() };
    let answer = call(request, |request| {
        let mut client = client.clone();
        async move { client.delete_task(request).await }
    })
    .await?;
    let name = answer.key.as_ref().map(text::key).unwrap_or_default();
    let until = answer.idempotent_until.as_ref().and_then(text::timestamp);
    let held = until.map(|until| format!("; its key stays taken until {until}"));
    print(console, format!("{name} is released{}\n", held.unwrap_or_default()).as_bytes()).await
}

/// Asks for a stop. Safe to repeat: the first one counts.
pub(super) async fn send_cancel(
    request: v1::CancelTaskRequest,
    client: &Client,
) -> Result<v1::CancelTaskResponse, Failure> {
    call(request, |request| {
        let mut client = client.clone();
        async move { client.cancel_task(request).await }
    })
    .await
}

/// What a cancel came to, in one line.
fn cancelled(answer: &v1::CancelTaskResponse) -> String {
    let task = answer.task.as_ref();
    let name = task.and_then(|task| task.key.as_ref()).map(text::key).unwrap_or_default();
    let outcome = task.and_then(|task| task.outcome.as_ref());
    match (answer.result(), outcome) {
        (v1::CancelResult::Stopping, _) => format!("{name} is being stopped"),
        (v1::CancelResult::AlreadyStopping, _) => {
            format!("{name} was being stopped already")
        }
        (v1::CancelResult::AlreadyFinished, Some(outcome)) => {
            let state = super::print::names::name::<v1::TaskState>(outcome.state);
            format!("{name} had ended already: {state}")
        }
        (v1::CancelResult::AlreadyFinished, None) => format!("{name} had ended already"),
        (v1::CancelResult::Recorded, _) => format!("{name} was not there: recorded as cancelled"),
        (v1::CancelResult::Unspecified, _) => {
            let result = super::print::names::name::<v1::CancelResult>(answer.result);
            format!("{name}: {result}")
        }
    }
}

pub(super) async fn info(args: &InfoArgs, client: &Client, console: &Console) -> Result<ExitStatus, Failure> {
    let answer = call(v1::GetServerInfoRequest {}, |request| {
        let mut client = client.clone();
        async move { client.get_server_info(request).await }
    })
    .await?;
    let shown = match args.output {
        Format::Text => table::info(&answer).into_bytes(),
        Format::Json => json::line(&json::InfoJson::of(&answer)),
    };
    let fresh = answer.clusters.iter().flat_map(|cluster| &cluster.scopes).any(|scope| scope.fresh);
    if args.ready && !fresh {
        console.err("error: the server is not ready: no watch of pods is fresh yet").await;
        return Ok(ExitStatus::PODLAUNCH_FAILED);
    }
    print(console, &shown).await
}

pub(super) async fn templates(args: &TemplatesArgs, client: &Client, console: &Console) -> Result<ExitStatus, Failure> {
    let answer = call(v1::ListTemplatesRequest { name: args.name.clone() }, |request| {
        let mut client = client.clone();
        async move { client.list_templates(request).await }
    })
    .await?;
    let shown = match args.output {
        Format::Json => answer.templates.iter().flat_map(|one| json::line(&json::TemplateJson::of(one))).collect(),
        Format::Text if args.name.is_empty() => table::templates(&answer.templates).into_bytes(),
        Format::Text => {
            let one = answer.templates.first().ok_or(Failure::Answer { field: "templates" })?;
            json::yaml(&one.manifest).into_bytes()
        }
    };
    print(console, &shown).await
}

async fn print(console: &Console, bytes: &[u8]) -> Result<ExitStatus, Failure> {
    console.out(bytes).await.map_err(Failure::Output)?;
    Ok(ExitStatus::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_cancel_came_to() {
        let answer = |result: v1::CancelResult, state: Option<v1::TaskState>| {
            cancelled(&v1::CancelTaskResponse {
                result: result.into(),
                task: Some(v1::Task {
                    key: Some(v1::TaskKey {
                        namespace: "n".to_owned(),
                        task_id: "t".to_owned(),
                        attempt: 2,
                        ..Default::default()
                    }),
                    outcome: state.map(|state| v1::Outcome { state: state.into(), ..Default::default() }),
                    ..Default::default()
                }),
            })
        };
        use v1::{CancelResult as R, TaskState as S};
        for (result, state, expected) in [
            (R::Stopping, None, "n/t#2 is being stopped"),
            (R::AlreadyStopping, None, "n/t#2 was being stopped already"),
            (R::AlreadyFinished, None, "n/t#2 had ended already"),
            (R::AlreadyFinished, Some(S::Succeeded), "n/t#2 had ended already: SUCCEEDED"),
        ] {
            assert_eq!(answer(result, state), expected);
        }
    }
}
