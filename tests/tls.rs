//! Listeners beyond loopback: TLS to known callers only, with certificates read again when they change.
//!
//! The product as processes: `serve --local` and the client commands of the same binary.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)] // a test fails by panicking

use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

const TOKEN: &str = "0123456789abcdefXYZ";

/// An authority, and certificates signed by it, as files.
struct Pki {
    dir: tempfile::TempDir,
    ca: CertifiedIssuer<'static, KeyPair>,
}

impl Pki {
    fn new() -> Pki {
        let dir = tempfile::tempdir().unwrap();
        let ca = authority();
        std::fs::write(dir.path().join("ca.crt"), ca.pem()).unwrap();
        let pki = Pki { dir, ca };
        pki.issue("server");
        pki.issue("client");
        std::fs::write(pki.path("tokens"), format!("airflow:{TOKEN}\n")).unwrap();
        std::fs::write(pki.path("token"), format!("{TOKEN}\n")).unwrap();
        pki
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn issue(&self, name: &str) {
        let key = KeyPair::generate().unwrap();
        let names = vec![name.to_owned(), "127.0.0.1".to_owned()];
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.signed_by(&key, &self.ca).unwrap();
        std::fs::write(self.path(&format!("{name}.key")), key.serialize_pem()).unwrap();
        std::fs::write(self.path(&format!("{name}.crt")), certificate.pem()).unwrap();
    }
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "test authority");
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A server process; killed at the end.
struct Server {
    child: Child,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_podlaunch"));
    command.env_remove("PODLAUNCH_ENDPOINT").env_remove("RUST_LOG");
    command
}

fn serve(pki: &Pki, more: &[&str]) -> Server {
    let mut command = binary();
    command.args(["serve", "--local", "--listen", "0.0.0.0:0", "--log-format", "json"]);
    command.arg("--tls-cert").arg(pki.path("server.crt")).arg("--tls-key").arg(pki.path("server.key"));
    command.args(more).stderr(Stdio::piped()).stdout(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let port = loop {
        let line = lines.next().expect("the server says where it listens").unwrap();
        if let Some((_, rest)) = line.split_once("0.0.0.0:") {
            break rest.split('"').next().unwrap().parse().unwrap();
        }
    };
    // The rest of its log is drained, so that it is never blocked.
    std::thread::spawn(move || lines.for_each(drop));
    Server { child, port }
}

#[test]
fn a_unix_socket_is_its_groups_and_whoever_calls_over_it_is_a_uid() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("s.sock");
    let endpoint = format!("unix:{}", socket.display());
    // Only root may give a file to a group it is not in; everybody else to its own.
    let own = std::fs::metadata(dir.path()).unwrap();
    let group = if own.uid() == 0 { 4711 } else { own.gid() };
    let mut command = binary();
    command.args(["serve", "--local", "--listen", &endpoint, "--socket-group", &group.to_string()]);
    let child = command.stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    let _server = Server { child, port: 0 };
    succeeds("Unix", &|| binary().args(["info", "--endpoint", &endpoint]).output().unwrap());
    let found = std::fs::metadata(&socket).unwrap();
    assert_eq!((found.mode() & 0o777, found.gid()), (0o660, group));

    let call = |arguments: &[&str]| {
        let output = binary().args(arguments).env("PODLAUNCH_ENDPOINT", &endpoint).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", text(&output));
        text(&output)
    };
    call(&["run", "--image", "x", "--task-id", "t", "--detach", "--", "sleep", "60"]);
    call(&["cancel", "t"]);
    let task = call(&["get", "t", "-o", "json"]);
    assert!(task.contains(&format!("uid:{}", own.uid())), "{task}");
}

/// A server on TLS, loopback and a Unix socket, each with room for one connection. The ports of the first two.
fn serve_one_connection_each(pki: &Pki, socket: &Path) -> (Server, u16) {
    let unix = format!("unix:{}", socket.display());
    let mut command = binary();
    command.args(["serve", "--local", "--max-connections", "1", "--log-format", "json"]);
    command.args(["--listen", "0.0.0.0:0", "--listen", "127.0.0.1:0", "--listen", &unix]);
    command.arg("--tls-cert").arg(pki.path("server.crt")).arg("--tls-key").arg(pki.path("server.key"));
    command.arg("--tls-client-ca").arg(pki.path("ca.crt")).stderr(Stdio::piped()).stdout(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut port_after = |host: &str| -> u16 {
        let line = lines.find_map(|line| line.unwrap().split_once(host).map(|(_, rest)| rest.to_owned()));
        line.expect("the server says where it listens").split('"').next().unwrap().parse().unwrap()
    };
    let (tls, loopback) = (port_after("0.0.0.0:"), port_after("127.0.0.1:"));
    std::thread::spawn(move || lines.for_each(drop));
    (Server { child, port: tls }, loopback)
}

/// Whether the other side has closed this connection. Waits for it.
fn is_closed(mut connection: impl Read) -> bool {
    // A reset is an end as well: the server may close before it has read what the kernel holds.
    connection.read(&mut [0]).map_or(true, |bytes| bytes == 0)
}

fn client(server: &Server, pki: &Pki, command: &[&str], credentials: &[(&str, &Path)]) -> Output {
    let mut process = binary();
    process.args(command).arg("--endpoint").arg(format!("https://127.0.0.1:{}", server.port));
    process.arg("--tls-ca").arg(pki.path("ca.crt"));
    for (flag, path) in credentials {
        process.arg(flag).arg(path);
    }
    process.output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn without_certificate_or_known_callers_nothing_is_served() {
    let pki = Pki::new();
    for (more, words) in [(&[][..], "--tls-cert"), (&["tls"][..], "--tls-client-ca")] {
        let mut command = binary();
        command.args(["serve", "--local", "--listen", "0.0.0.0:0"]);
        if !more.is_empty() {
            command.arg("--tls-cert").arg(pki.path("server.crt")).arg("--tls-key").arg(pki.path("server.key"));
        }
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(125), "{}", text(&output));
        assert!(text(&output).contains(words), "{}", text(&output));
    }
}

#[test]
fn a_client_certificate_is_who_calls() {
    let pki = Pki::new();
    let server = serve(&pki, &["--tls-client-ca", pki.path("ca.crt").to_str().unwrap()]);
    let (cert, key) = (pki.path("client.crt"), pki.path("client.key"));
    let known = [("--tls-cert", cert.as_path()), ("--tls-key", key.as_path())];
    let run = ["run", "--image", "x", "--task-id", "t", "--detach", "--", "sleep", "60"];
    // `--` ends the flags, so the connection's come first.
    let mut process = binary();
    process.args(&run[..1]).arg("--endpoint").arg(format!("https://127.0.0.1:{}", server.port));
    process.arg("--tls-ca").arg(pki.path("ca.crt")).arg("--tls-cert").arg(&cert).arg("--tls-key").arg(&key);
    let launched = process.args(&run[1..]).output().unwrap();
    assert!(launched.status.success(), "{}", text(&launched));
    let cancelled = client(&server, &pki, &["cancel", "t"], &known);
    assert!(cancelled.status.success(), "{}", text(&cancelled));
    let task = client(&server, &pki, &["get", "t", "-o", "json"], &known);
    assert!(text(&task).contains("cert:client"), "{}", text(&task));
    let stranger = client(&server, &pki, &["get", "t"], &[]);
    assert_eq!(stranger.status.code(), Some(125), "{}", text(&stranger));
    // Another authority's client is a stranger too.
    let other = Pki::new();
    let (cert, key) = (other.path("client.crt"), other.path("client.key"));
    let foreign = client(&server, &pki, &["get", "t"], &[("--tls-cert", &cert), ("--tls-key", &key)]);
    assert_eq!(foreign.status.code(), Some(125), "{}", text(&foreign));
}

#[test]
fn a_token_is_who_calls_and_a_changed_certificate_is_read_again() {
    let pki = Pki::new();
    let server = serve(&pki, &["--token-file", pki.path("tokens").to_str().unwrap()]);
    let token = pki.path("token");
    let info = |pki: &Pki| client(&server, pki, &["info"], &[("--token-file", &token)]);
    let known = info(&pki);
    assert!(known.status.success(), "{}", text(&known));
    let stranger = client(&server, &pki, &["info"], &[]);
    assert!(text(&stranger).contains("UNAUTHENTICATED"), "{}", text(&stranger));
    // A new authority, and a server certificate of it, put where the old ones were.
    let newer = Pki::new();
    for file in ["server.crt", "server.key"] {
        std::fs::copy(newer.path(file), pki.path(file)).unwrap();
    }
    let began = Instant::now();
    while !info(&newer).status.success() {
        assert!(began.elapsed() < Duration::from_secs(60), "the new certificate is not served");
        std::thread::sleep(Duration::from_millis(500));
    }
    assert!(!info(&pki).status.success(), "the old authority still vouches for it");
}

#[test]
fn a_connection_beyond_the_limit_is_closed_and_each_listener_counts_for_itself() {
    let pki = Pki::new();
    let socket = pki.path("s.sock");
    let (server, loopback) = serve_one_connection_each(&pki, &socket);
    let tcp = |port: u16| TcpStream::connect(("127.0.0.1", port)).unwrap();
    let info = |endpoint: &str| binary().args(["info", "--endpoint", endpoint]).output().unwrap();
    let (over_loopback, over_unix) = (format!("http://127.0.0.1:{loopback}"), format!("unix:{}", socket.display()));

    let held_unix = UnixStream::connect(&socket).unwrap();
    assert!(is_closed(UnixStream::connect(&socket).unwrap()), "a second connection over the Unix socket");
    let held_tls = tcp(server.port);
    assert!(is_closed(tcp(server.port)), "a second connection over TLS");
    let held = tcp(loopback);
    assert!(is_closed(tcp(loopback)), "a second connection on loopback");
    let refused = info(&over_loopback);
    assert_eq!(refused.status.code(), Some(125), "{}", text(&refused));

    // Whoever leaves makes room on that listener, and on no other.
    drop(held_unix);
    succeeds("Unix", &|| info(&over_unix));
    drop(held_tls);
    let (cert, key) = (pki.path("client.crt"), pki.path("client.key"));
    succeeds("TLS", &|| client(&server, &pki, &["info"], &[("--tls-cert", &cert), ("--tls-key", &key)]));
    assert_eq!(info(&over_loopback).status.code(), Some(125));
    drop(held);
    succeeds("loopback", &|| info(&over_loopback));
}

/// Tries until it does: the server learns of a dropped connection a moment later.
fn succeeds(name: &str, ask: &dyn Fn() -> Output) {
    let began = Instant::now();
    loop {
        let output = ask();
        if output.status.success() {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{name}: {}", text(&output));
        std::thread::sleep(Duration::from_millis(100));
    }
}
