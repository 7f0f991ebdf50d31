//! `run --dry-run`: the pod that would be, and no task.

use crate::cli::args::{RunArgs, RunFormat};
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::io::Console;
use crate::cli::print::{json, text};
use crate::cli::session::{Session, Update};
use crate::proto::v1;

/// Makes the answer to a launch by the rules alone. Given from outside: the rules are not the command line's.
pub type Preview = fn(v1::LaunchTaskRequest) -> Result<v1::Validated, tonic::Status>;

/// `--dry-run=client`.
pub(in crate::cli) async fn preview(
    args: &RunArgs,
    preview: Preview,
    console: &Console,
) -> Result<ExitStatus, Failure> {
    if !args.template.is_empty() {
        let problem = "a template is known to the server alone: use --dry-run=server".to_owned();
        return Err(Failure::Flag { flag: "--dry-run", problem });
    }
    let validated = preview(super::request(args).await?)?;
    show(&validated, args.output.output, "is made here; the cluster was not asked", console).await
}

/// `--dry-run=server`.
pub(super) async fn server(session: &mut Session, format: RunFormat, console: &Console) -> Result<ExitStatus, Failure> {
    while let Some(update) = session.next().await? {
        if let Update::Validated(validated) = &update {
            return show(validated, format, "is accepted by the cluster", console).await;
        }
    }
    Err(Failure::Answer { field: "validated" })
}

async fn show(
    validated: &v1::Validated,
    format: RunFormat,
    verdict: &str,
    console: &Console,
) -> Result<ExitStatus, Failure> {
    for warning in &validated.warnings {
        console.err(&format!("warning: {}", text::sanitize(warning))).await;
    }
    let summary = format!("pod {} {verdict}, {}", validated.pod_name, validated.fingerprint);
    console.err(&text::sanitize(&summary)).await;
    let pod = match format {
        RunFormat::Json => json::pretty(&validated.pod_json),
        RunFormat::Text | RunFormat::Yaml => json::yaml(&validated.pod_json),
    };
    console.out(pod.as_bytes()).await.map_err(Failure::Output)?;
    Ok(ExitStatus::SUCCESS)
}
