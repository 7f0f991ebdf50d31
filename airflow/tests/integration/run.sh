#!/usr/bin/env bash
# A real Airflow against a served podlaunch. Arguments go to pytest.
#
#   PODLAUNCH_BIN             the server, default target/debug/podlaunch
#   PODLAUNCH_AIRFLOW_VENV    where Airflow is installed, default target/airflow-venv; kept between runs
#   PODLAUNCH_E2E_KUBECONFIG  a real cluster; without it an embedded one
#   PYTHON                    Python 3.11, default python3
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../../.." && pwd)
venv=${PODLAUNCH_AIRFLOW_VENV:-$root/target/airflow-venv}
export PODLAUNCH_BIN=${PODLAUNCH_BIN:-$root/target/debug/podlaunch}
# Compiled once, and not into the tree.
export PYTHONPYCACHEPREFIX=$venv/pycache

UV_VERSION=0.13.9

if [ ! -x "$PODLAUNCH_BIN" ]; then
  echo "$PODLAUNCH_BIN: no server there; cargo build, or set PODLAUNCH_BIN" >&2
  exit 2
fi
if [ ! -x "$venv/bin/python" ]; then
  "${PYTHON:-python3}" -m venv "$venv"
fi

# uv takes seconds where pip takes minutes; pip does as well.
if [ -x "$venv/bin/uv" ] || "$venv/bin/python" -m pip install --quiet "uv==$UV_VERSION"; then
  install=("$venv/bin/uv" pip install --quiet --python "$venv/bin/python")
  reinstall=(--reinstall)
else
  install=("$venv/bin/python" -m pip install --quiet)
  reinstall=(--force-reinstall)
fi

wanted=$(sha256sum "$here/requirements.txt" | cut -d' ' -f1)
if [ "$(cat "$venv/installed" 2>/dev/null)" != "$wanted" ]; then
  "${install[@]}" -r "$here/requirements.txt"
  echo "$wanted" >"$venv/installed"
fi
# The packages as they are shipped, from the tree as it is now.
"${install[@]}" --no-deps "${reinstall[@]}" "$root/clients/python" "$root/airflow"

exec "$venv/bin/python" -m pytest -p no:cacheprovider --rootdir "$here" -c "$here/pytest.ini" "$here" "$@"
