# What CI runs; `just` lists the recipes. CI calls them through .ci/run, which needs only bash.

default:
    @just --list

# Formatting, lints and the tests that need nothing but Rust.
check: fmt clippy test

fmt:
    cargo fmt --all --check

clippy:
    cargo clippy --all-targets -- -D warnings

# The README's test command: unit, corpus, layering and end-to-end tests on the embedded cluster.
test:
    cargo test

# The end-to-end suite on a real cluster.
e2e kubeconfig:
    PODLAUNCH_E2E_KUBECONFIG={{ kubeconfig }} cargo test --test e2e

# Python and grpcurl against a served cluster.
clients:
    cargo test --test clients

# Lint of the contract (buf by `go install github.com/bufbuild/buf/cmd/buf@latest`).
proto:
    cd proto && buf lint && buf format --diff --exit-code

# Benchmarks beside a raw client in the same run: on the embedded cluster, or on the given one.
bench kubeconfig="":
    PODLAUNCH_BENCH_KUBECONFIG={{ kubeconfig }} cargo bench --bench podlaunch

# What is shipped.
dist:
    cargo build --profile dist
