//! `logs`: the log of a task, as far as it is there or, with `-f`, to its end.

use jiff::Timestamp;

use super::args::{LogsArgs, Switch};
use super::exit::ExitStatus;
use super::failure::Failure;
use super::io::Console;
use super::print::lines::Marks;
use super::print::{Printer, Story};
use super::session::{Client, Opening, Session};
use crate::proto::v1;

pub(super) async fn logs(args: &LogsArgs, client: Client, console: Console) -> Result<ExitStatus, Failure> {
    let opening = Opening::Attach(Box::new(request(args, Timestamp::now())));
    let mut session = Session::new(client, opening, args.retry.retry_for);
    let mut printer = Printer::new(console, args.output, marks(args), Story::Losses);
    while let Some(update) = session.next().await? {
        printer.show(&update).await?;
    }
    Ok(ExitStatus::SUCCESS)
}

fn request(args: &LogsArgs, now: Timestamp) -> v1::AttachTaskRequest {
    use v1::attach_task_request::StartAt;
    let (mode, containers) = match args.container.as_slice() {
        _ if args.all_containers => (v1::LogContainers::All, Vec::new()),
        [] => (v1::LogContainers::Primary, Vec::new()),
        names => (v1::LogContainers::Named, names.to_vec()),
    };
    let until = if args.follow { v1::StreamUntil::Termination } else { v1::StreamUntil::Available };
    let start = match (args.tail, args.since) {
        (Some(lines), _) => StartAt::TailLines(lines),
        (None, Some(since)) => StartAt::SinceTime(timestamp(since.from(now))),
        (None, None) => StartAt::Start(v1::StreamStart::Beginning.into()),
    };
    v1::AttachTaskRequest {
        key: Some(args.task.key()),
        start_at: Some(start),
        until: until.into(),
        filter: Some(v1::EventFilter {
            kinds: vec![v1::EventKind::Log.into()],
            containers: Vec::new(),
            logs: Some(v1::LogSelection { mode: mode.into(), containers }),
        }),
        consumer: String::new(),
    }
}

fn timestamp(time: Timestamp) -> prost_types::Timestamp {
    let seconds = time.as_nanosecond().div_euclid(1_000_000_000);
    let nanos = time.as_nanosecond().rem_euclid(1_000_000_000);
    prost_types::Timestamp {
        seconds: i64::try_from(seconds).unwrap_or_default(),
        nanos: i32::try_from(nanos).unwrap_or_default(),
    }
}

fn marks(args: &LogsArgs) -> Marks {
    let several = args.all_containers || args.container.len() > 1;
    let usual = if several { Switch::On } else { Switch::Off };
    Marks { container: args.prefix.unwrap_or(usual), time: if args.timestamps { Switch::On } else { Switch::Off } }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::args::{Cli, ClientCommand, Command};

    fn parse(line: &str) -> LogsArgs {
        let cli = Cli::try_parse_from(line.split(' ')).expect(line);
        match cli.command {
            Command::Client(ClientCommand::Logs(args)) => args,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_selection_and_the_end() {
        use v1::{LogContainers as C, StreamUntil as U};
        for (line, mode, names, until, marked) in [
            ("p logs t", C::Primary, 0, U::Available, Switch::Off),
            ("p logs t -f", C::Primary, 0, U::Termination, Switch::Off),
            ("p logs t -c a", C::Named, 1, U::Available, Switch::Off),
            ("p logs t -c a,b", C::Named, 2, U::Available, Switch::On),
            ("p logs t --all-containers", C::All, 0, U::Available, Switch::On),
            ("p logs t --all-containers --prefix=off", C::All, 0, U::Available, Switch::Off),
            ("p logs t --prefix", C::Primary, 0, U::Available, Switch::On),
        ] {
            let args = parse(line);
            let request = request(&args, Timestamp::now());
            assert_eq!(request.until(), until, "{line}");
            let filter = request.filter.unwrap_or_default();
            assert_eq!(filter.kinds, [v1::EventKind::Log as i32]);
            let logs = filter.logs.unwrap_or_default();
            assert_eq!((logs.mode(), logs.containers.len()), (mode, names), "{line}");
            assert_eq!(marks(&args).container, marked, "{line}");
        }
    }

    #[test]
    fn the_start() {
        use v1::attach_task_request::StartAt;
        let now: Timestamp = "2026-01-31T12:00:00.5Z".parse().expect("a time");
        let at = |seconds, nanos| StartAt::SinceTime(prost_types::Timestamp { seconds, nanos });
        for (line, start) in [
            ("p logs t", StartAt::Start(v1::StreamStart::Beginning.into())),
            ("p logs t --tail 7", StartAt::TailLines(7)),
            ("p logs t --since 1m", at(1_769_860_740, 500_000_000)),
            ("p logs t --since 2026-01-31T12:00:00Z", at(1_769_860_800, 0)),
            ("p logs t --since 1969-12-31T23:59:59.5Z", at(-1, 500_000_000)),
        ] {
            assert_eq!(request(&parse(line), now).start_at, Some(start), "{line}");
        }
        for line in
            ["p logs t --tail -1", "p logs t --tail 1000001", "p logs t --since soon", "p logs t --tail 1 --since 1m"]
        {
            assert!(Cli::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }
}
