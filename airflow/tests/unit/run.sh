#!/usr/bin/env bash
# The provider without a server: lints, types, unit tests on Airflow 3, and these once more on the oldest Airflow that it
# is for, in target/airflow-2-venv. Arguments go to pytest.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

oldest() (
  PODLAUNCH_AIRFLOW_VENV=$here/../../../target/airflow-2-venv
  requirements=$here/requirements-2.txt
  . "$here/../install.sh"
  echo "unit tests on Airflow $("$venv/bin/python" -c 'from importlib.metadata import version; print(version("apache-airflow"))')"
  cd "$root/airflow"
  "$venv/bin/python" -m pytest -p no:cacheprovider -q "$@"
)

. "$here/../install.sh"
"${install[@]}" $(grep -E '^(ruff|mypy|types-protobuf|grpc-stubs)==' "$root/.ci/python-tools.txt")
cd "$root/airflow"
"$venv/bin/ruff" check .
"$venv/bin/ruff" format --check .
"$venv/bin/mypy"
"$venv/bin/python" -m pytest -p no:cacheprovider -q "$@"
oldest "$@"
