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

# The end-to-end suite on a real cluster. With its audit log the requests are counted too.
e2e kubeconfig audit="":
    PODLAUNCH_E2E_KUBECONFIG={{ kubeconfig }} {{ if audit != "" { "PODLAUNCH_E2E_AUDIT=" + audit } else { "" } }} RUST_TEST_THREADS=8 cargo test --test e2e

# The fault tests with their full counts: 200 tasks, 20 kills, 100 MB logs, 13 containers of 100,000 lines. On the
# embedded cluster, or on the given one; with its tools (a folder with `restart NAME` and `fake-nodes N`) also those that
# restart its parts. What a cluster is not set up for is skipped, and says what it needs: small logs (`rotation::`), nodes
# that are soon given up (`nodes::`).
e2e-full kubeconfig="" tools="":
    {{ if kubeconfig != "" { "PODLAUNCH_E2E_KUBECONFIG=" + kubeconfig } else { "" } }} {{ if tools != "" { "PODLAUNCH_E2E_CLUSTER_TOOLS=" + tools } else { "" } }} PODLAUNCH_E2E_FULL=1 RUST_TEST_THREADS=1 cargo test --test e2e -- --include-ignored --nocapture chaos:: records:: keeper:: log_pressure:: many_containers:: rotation:: nodes:: faults_

# Python and grpcurl against a served cluster.
clients:
    cargo test --test clients

# The Python client: generated part, lints, types, tests.
python:
    .ci/python

# The Airflow provider: lints, types, unit tests.
provider:
    airflow/tests/unit/run.sh

# A real Airflow runs the blog post's DAG through podlaunch: on the embedded cluster, or on the given one.
airflow kubeconfig="":
    {{ if kubeconfig != "" { "PODLAUNCH_E2E_KUBECONFIG=" + kubeconfig } else { "" } }} airflow/tests/integration/run.sh

# The Helm chart and the image's files, without a cluster.
deploy:
    deploy/tests/static.sh

# Lint of the contract (buf by `go install github.com/bufbuild/buf/cmd/buf@latest`).
proto:
    .ci/proto

# Benchmarks beside a raw client in the same run: on the embedded cluster, or on the given one.
bench kubeconfig="":
    {{ if kubeconfig != "" { "PODLAUNCH_BENCH_KUBECONFIG=" + kubeconfig } else { "" } }} cargo bench --bench podlaunch

# What is shipped.
dist:
    cargo build --profile dist
