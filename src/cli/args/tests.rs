//! Command lines as people type them.

use std::time::Duration;

use clap::CommandFactory as _;
use clap::error::ErrorKind;

use super::*;

fn parse(line: &[&str]) -> Result<Command, ErrorKind> {
    let line = ["podlaunch"].iter().chain(line);
    Cli::try_parse_from(line).map(|cli| cli.command).map_err(|error| error.kind())
}

fn run(line: &[&str]) -> Result<RunArgs, ErrorKind> {
    match parse(&[&["run"], line].concat())? {
        Command::Client(ClientCommand::Run(args)) => Ok(*args),
        other => panic!("{other:?}"),
    }
}

fn serve(line: &[&str]) -> Result<ServeArgs, ErrorKind> {
    match parse(&[&["serve"], line].concat())? {
        Command::Serve(args) => Ok(*args),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn serve_defaults() {
    let args = serve(&[]).expect("no flag is required");
    let listen: Vec<_> = args.listen.iter().map(ToString::to_string).collect();
    assert_eq!(listen, ["127.0.0.1:50051"]);
    assert_eq!(args.cluster.instance, "default");
    assert!(args.cluster.namespace.is_empty());
    assert_eq!(args.cluster.finalizer, Switch::Off);
    assert_eq!(args.reflection, Switch::On);
    assert_eq!(args.log_format, LogFormat::Text);
    assert_eq!(args.limits.startup_timeout(), Some(Duration::from_secs(3600)));
    assert_eq!(args.limits.container_log_max_size, 10 << 20);
    assert_eq!(args.limits.log_wait, Duration::from_secs(30));
    assert_eq!(args.limits.idempotency_window, Duration::from_secs(3600));
    assert_eq!(args.limits.stall_limit, Duration::from_secs(60));
    assert_eq!(args.limits.drain, Duration::from_secs(20));
    assert_eq!((args.result.result_image.as_str(), args.result.max_result_size), ("busybox:1", 4 << 20));
    let requests: Vec<_> =
        args.result.result_request.iter().map(|pair| format!("{}={}", pair.key, pair.value)).collect();
    assert_eq!((requests.join(" "), args.result.result_limit.len()), ("cpu=10m memory=16Mi".to_owned(), 0));
}

#[test]
fn the_sidecars_resources_replace_the_defaults() {
    let line = "--result-request cpu=1 --result-limit cpu=1 --result-limit memory=1Gi --max-result-size 8Mi";
    let args = serve(&line.split(' ').collect::<Vec<_>>()).expect(line).result;
    assert_eq!((args.result_request.len(), args.result_limit.len(), args.max_result_size), (1, 2, 8 << 20));
}

#[test]
fn serve_flags() {
    let line = "--listen unix:/p.sock --listen [::1]:1 --namespace a --namespace b --finalizer on \
                --default-startup-timeout 0 --container-log-max-size 2Gi --reflection off";
    let args = serve(&line.split_whitespace().collect::<Vec<_>>()).expect(line);
    assert_eq!(args.listen.len(), 2);
    assert_eq!(args.cluster.namespace, ["a", "b"]);
    assert!(args.cluster.finalizer.is_on());
    assert!(!args.reflection.is_on());
    assert_eq!(args.limits.startup_timeout(), None);
    assert_eq!(args.limits.container_log_max_size, 2 << 30);
    for line in [&["--local", "--kubeconfig", "k"][..], &["--local", "--context", "c"]] {
        assert_eq!(serve(line).err(), Some(ErrorKind::ArgumentConflict), "{line:?}");
    }
    assert_eq!(serve(&["--local-image", "a=b"]).err(), Some(ErrorKind::MissingRequiredArgument));
    for line in [
        &["--listen", "50051"][..],
        &["--log-wait", "0"],
        &["--log-wait", "30"],
        &["--container-log-max-size", "10MB"],
        &["--max-streams", "0"],
    ] {
        assert_eq!(serve(line).err(), Some(ErrorKind::ValueValidation), "{line:?}");
    }
}

#[test]
fn run_takes_a_command_only_after_two_dashes() {
    let args = run(&["--image", "i", "--", "sh", "-c", "echo --image"]).expect("a command");
    assert_eq!(args.command, ["sh", "-c", "echo --image"]);
    assert_eq!(run(&["--image", "i", "sh"]).err(), Some(ErrorKind::UnknownArgument));
    assert_eq!(run(&["--", "sh"]).err(), Some(ErrorKind::MissingRequiredArgument));
    assert!(run(&["-f", "pod.yaml"]).is_ok());
    assert!(run(&["--template", "gpu"]).is_ok());
}

#[test]
fn run_defaults_and_conflicts() {
    let args = run(&["--image", "i"]).expect("enough");
    assert_eq!(args.identity.namespace, "default");
    assert_eq!(args.identity.attempt.get(), 1);
    assert_eq!(args.identity.task_id, None);
    assert_eq!(args.output.logs_of, ["primary"]);
    assert_eq!(args.output.output, RunFormat::Text);
    assert_eq!(args.retry.retry_for, Duration::from_secs(300));
    for line in [
        &["--no-logs", "--logs-of", "all"][..],
        &["--detach", "--validate-only"],
        &["--detach", "--dry-run", "client"],
        &["--dry-run=server", "--validate-only"],
        &["--keep-entrypoint", "--entrypoint", "sh"],
        &["--user", "1", "--container-security-context", "{}"],
        &["--local", "--endpoint", "http://a:1"],
    ] {
        let line = [&["--image", "i"], line].concat();
        assert_eq!(run(&line).err(), Some(ErrorKind::ArgumentConflict), "{line:?}");
    }
    for line in [&["--attempt", "0"][..], &["--env", "NAME"], &["--startup-timeout", "0"], &["--secret-env", "A=b"]] {
        let line = [&["--image", "i"], line].concat();
        assert_eq!(run(&line).err(), Some(ErrorKind::ValueValidation), "{line:?}");
    }
}

#[test]
fn where_a_command_is_sent() {
    let target = |line: &[&str]| match parse(line) {
        Ok(Command::Client(command)) => command.target(),
        other => panic!("{other:?}"),
    };
    let here = Target::Endpoint(super::Server::at("unix:/p.sock"));
    for line in [
        &["get", "t", "--endpoint", "unix:/p.sock"][..],
        &["logs", "t", "--endpoint", "unix:/p.sock"],
        &["cancel", "t", "--endpoint", "unix:/p.sock"],
        &["info", "--endpoint", "unix:/p.sock"],
        &["run", "--image", "i", "--endpoint", "unix:/p.sock"],
    ] {
        assert_eq!(target(line), here, "{line:?}");
    }
    assert_eq!(
        target(&["run", "--local", "--local-image", "a:1=d", "--image", "a:1"]),
        Target::Local(vec![LocalImage { name: "a:1".to_owned(), dir: "d".into() }])
    );
    assert_eq!(target(&["info", "--local"]), Target::Local(Vec::new()));
    assert_eq!(target(&["run", "--image", "i", "--dry-run=client", "--local"]), Target::Nowhere);
    assert_eq!(target(&["run", "--image", "i", "--dry-run=server", "--endpoint", "unix:/p.sock"]), here);
}

#[test]
fn completions_name_the_commands() {
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        let mut script = Vec::new();
        crate::cli::completions(shell, &mut script).expect("memory takes all");
        let script = String::from_utf8_lossy(&script);
        for word in ["serve", "run", "completions", "task-id"] {
            assert!(script.contains(word), "{shell} {word}");
        }
    }
}

#[test]
fn the_exit_codes_are_in_the_help() {
    let mut command = Cli::command();
    let run = command.find_subcommand_mut("run").expect("run");
    let help = run.render_long_help().to_string();
    for status in ["75 ", "125 ", "126 ", "130 ", "141 "] {
        assert!(help.contains(status), "{status}");
    }
}
