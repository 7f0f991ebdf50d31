#!/usr/bin/env bash
# The provider without a server: lints, types, unit tests. Arguments go to pytest.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/../install.sh"

"${install[@]}" $(grep -E '^(ruff|mypy|types-protobuf|grpc-stubs)==' "$root/.ci/python-tools.txt")
cd "$root/airflow"
"$venv/bin/ruff" check .
"$venv/bin/ruff" format --check .
"$venv/bin/mypy"
exec "$venv/bin/python" -m pytest -p no:cacheprovider -q "$@"
