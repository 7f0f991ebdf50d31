# Sourced by unit/run.sh and integration/run.sh: an environment with Airflow and this tree's packages as they are shipped.
#
#   PODLAUNCH_AIRFLOW_VENV    where, default target/airflow-venv; kept between runs
#   PYTHON                    Python 3.11, default python3
#   requirements              what, default integration/requirements.txt
# Sets root, venv, and install (a command that installs into it).

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
requirements=${requirements:-$root/airflow/tests/integration/requirements.txt}
venv=${PODLAUNCH_AIRFLOW_VENV:-$root/target/airflow-venv}
# Compiled once, and not into the tree.
export PYTHONPYCACHEPREFIX=$venv/pycache
UV_VERSION=0.13.9

if [ ! -x "$venv/bin/python" ]; then
  "${PYTHON:-python3}" -m venv "$venv"
fi

# uv takes seconds where pip takes minutes; pip does as well.
if [ -x "$venv/bin/uv" ] || "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "uv==$UV_VERSION"; then
  install=("$venv/bin/uv" pip install --quiet --python "$venv/bin/python")
  reinstall=(--reinstall)
else
  install=("$venv/bin/python" -m pip install --quiet --disable-pip-version-check)
  reinstall=(--force-reinstall)
fi

wanted=$(sha256sum "$requirements" | cut -d' ' -f1)
if [ "$(cat "$venv/installed" 2>/dev/null)" != "$wanted" ]; then
  "${install[@]}" -r "$requirements"
  echo "$wanted" >"$venv/installed"
fi
# The packages as they are shipped, from the tree as it is now.
"${install[@]}" --no-deps "${reinstall[@]}" "$root/clients/python" "$root/airflow"
