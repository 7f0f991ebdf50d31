#!/usr/bin/env bash
# A real Airflow against a served podlaunch. Arguments go to pytest.
#
#   PODLAUNCH_BIN             the server, default target/debug/podlaunch
#   PODLAUNCH_E2E_KUBECONFIG  a real cluster; without it an embedded one
#   PODLAUNCH_E2E_AUDIT       the audit log of its API server: requests are counted where it is given
# and those of ../install.sh
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/../install.sh"

export PODLAUNCH_BIN=${PODLAUNCH_BIN:-$root/target/debug/podlaunch}
if [ ! -x "$PODLAUNCH_BIN" ]; then
  echo "$PODLAUNCH_BIN: no server there; cargo build, or set PODLAUNCH_BIN" >&2
  exit 2
fi
exec "$venv/bin/python" -m pytest -p no:cacheprovider --rootdir "$here" -c "$here/pytest.ini" "$here" "$@"
