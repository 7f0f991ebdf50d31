# Sourced by the tests beside it.

readonly HELM_MODULE=helm.sh/helm/v3/cmd/helm@v3.22.0
# The version that charts are rendered for: a helm that `go install` made knows none of its own.
readonly KUBE_VERSION=1.34.0

deploy=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly deploy
readonly chart=$deploy/helm/podlaunch
readonly kept=${PODLAUNCH_DEPLOY_TOOLS:-$deploy/../target/tmp/deploy}

say() { echo "deploy: $*" >&2; }
fail() { say "FAILED: $*"; exit 1; }

# A Go program: $1 if it is set, else one on the PATH, else installed by Go and kept. Prints its path.
go_program() { # given name module
  local given=$1 name=$2 module=$3
  if [ -n "$given" ]; then
    echo "$given"
  elif command -v "$name"; then
    :
  elif [ -x "$kept/bin/$name" ]; then
    echo "$kept/bin/$name"
  elif command -v go >/dev/null; then
    say "installing $name (minutes, once)"
    mkdir -p "$kept/bin"
    GOBIN=$(cd "$kept/bin" && pwd) go install "$module" >&2
    echo "$kept/bin/$name"
  fi
}
