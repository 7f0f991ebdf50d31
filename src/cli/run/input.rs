//! What the flags of `run` name and is not in them: the manifest of `--file` (a file or stdin), the files behind `@`.
//! All bounded.

use std::io;
use std::path::Path;

use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::cli::args::{RunArgs, Text};
use crate::cli::failure::Failure;

/// The contract's own limit of a manifest, bytes. A larger one would be sent only to be refused.
const LIMIT: u64 = 512 << 10;

/// The text of the manifest; empty where there is none.
pub(super) async fn manifest(path: Option<&Path>) -> Result<String, Failure> {
    let Some(path) = path else {
        return Ok(String::new());
    };
    let text = if path == Path::new("-") {
        read(tokio::io::stdin()).await
    } else {
        match tokio::fs::File::open(path).await {
            Ok(file) => read(file).await,
            Err(error) => Err(error),
        }
    };
    text.map_err(|source| Failure::File { flag: "--file", path: path.to_owned(), source })
}

/// The flags with what is in the files they name.
pub(super) async fn texts(args: &RunArgs) -> Result<RunArgs, Failure> {
    let mut args = args.clone();
    let (container, pod) = (&mut args.container, &mut args.pod);
    for (flag, text) in [
        ("--container-security-context", &mut container.container_security_context),
        ("--affinity", &mut pod.affinity),
        ("--topology-spread", &mut pod.topology_spread),
        ("--security-context", &mut pod.security_context),
        ("--dns-config", &mut pod.dns_config),
    ] {
        let Some(Text::File(path)) = text else { continue };
        let read = match tokio::fs::File::open(&*path).await {
            Ok(file) => read(file).await,
            Err(error) => Err(error),
        };
        let path = path.clone();
        *text = Some(Text::Given(read.map_err(|source| Failure::File { flag, path, source })?));
    }
    Ok(args)
}

async fn read(source: impl AsyncRead + Unpin) -> io::Result<String> {
    let mut text = String::new();
    let read = source.take(LIMIT + 1).read_to_string(&mut text).await?;
    if read as u64 > LIMIT {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it has more than 512 KiB"));
    }
    if text.trim().is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is empty"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bounded_and_never_empty() {
        let full = vec![b'a'; usize::try_from(LIMIT).expect("fits")];
        assert_eq!(read(&full[..]).await.map(|text| text.len()).ok(), Some(full.len()));
        let more = [&full[..], b"a"].concat();
        for (source, kind) in [
            (&more[..], io::ErrorKind::FileTooLarge),
            (b"", io::ErrorKind::InvalidData),
            (b" \n", io::ErrorKind::InvalidData),
            (b"\xff", io::ErrorKind::InvalidData),
        ] {
            assert_eq!(read(source).await.map_err(|error| error.kind()), Err(kind));
        }
    }

    #[tokio::test]
    async fn a_file_is_named_in_its_error() {
        let Err(failure) = manifest(Some(Path::new("/does/not/exist.yaml"))).await else {
            panic!("read what is not there");
        };
        assert!(failure.to_string().contains("--file `/does/not/exist.yaml`"));
        assert_eq!(manifest(None).await.ok().as_deref(), Some(""));
    }
}
