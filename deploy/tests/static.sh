#!/usr/bin/env bash
# What can be said of image and chart without a cluster.
#
#     deploy/tests/static.sh             PODLAUNCH_BINARY: what is packed [target/debug/podlaunch]
#     UPDATE=1 deploy/tests/static.sh    write the golden files anew
#
# Skips the chart's part only where neither helm nor Go is there, and says so.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
binary=${PODLAUNCH_BINARY:-$deploy/../target/debug/podlaunch}

# --- the image ----------------------------------------------------------------------------

# The destinations of the Dockerfile's last stage, its arguments put in.
copied() {
  awk '
    /^ARG / && split($2, pair, "=") == 2 { value[pair[1]] = pair[2] }
    /^FROM / { last = $2; delete paths; count = 0 }
    last == "scratch" && /^COPY / {
      for (name in value) gsub("\\$\\{" name "\\}", value[name])
      if ($2 !~ /^--from=/ || NF != 4 || $3 != "/rootfs" $4) { print "not understood: " $0; exit }
      paths[++count] = $4
    }
    END {
      if (last != "scratch") print "the last stage is FROM " last
      for (i = 1; i <= count; i++) print paths[i]
    }' "$deploy/Dockerfile" | sort
}

copied >"$work/dockerfile"
"$deploy/rootfs.sh" --list "$binary" >"$work/needed"
diff -u --label "last stage of deploy/Dockerfile" --label "deploy/rootfs.sh" "$work/dockerfile" "$work/needed" >&2 ||
  fail "the image would not have exactly what the binary needs"
"$deploy/rootfs.sh" "$binary" "$work/rootfs"
(cd "$work/rootfs" && find . -type f | sed 's/^\.//' | sort) >"$work/packed"
diff -u "$work/needed" "$work/packed" >&2 || fail "rootfs.sh does not pack what it lists"
[ -z "$(find "$work/rootfs" -type l)" ] || fail "rootfs.sh packs links"
user=$(sed -n 's/^USER \([0-9]*\):[0-9]*$/\1/p' "$deploy/Dockerfile")
[ "${user:-0}" != 0 ] || fail "the Dockerfile's USER is not a number other than 0"
# It runs with nothing else there. Only root may change its root.
if [ "$(id -u)" = 0 ]; then
  chroot --userspec=65532:65532 "$work/rootfs" /usr/bin/podlaunch --version >/dev/null || fail "the packed binary does not run"
fi
say "image: $(wc -l <"$work/packed") files, the binary and all it names"

# --- the chart ----------------------------------------------------------------------------

helm=$(go_program "${HELM:-}" helm "$HELM_MODULE")
if [ -z "$helm" ]; then
  say "skipped: the chart is not tested, neither helm nor Go is here"
  exit 0
fi
render() { "$helm" template pl "$chart" --namespace team --kube-version "$KUBE_VERSION" "$@"; }

"$helm" lint --strict --quiet "$chart" >&2
for values in "$deploy"/tests/values/*.yaml; do
  case=$(basename "$values" .yaml)
  "$helm" lint --strict --quiet --values "$values" "$chart" >&2
  golden=$deploy/tests/golden/$case.yaml
  render --values "$values" >"$work/$case.yaml"
  if [ -n "${UPDATE:-}" ]; then cp "$work/$case.yaml" "$golden"; fi
  diff -u "$golden" "$work/$case.yaml" >&2 || fail "$case: not the golden file; look, then UPDATE=1 $0"
done

# Values that would be wrong are refused, with words that say what to do.
refused() { # words values...
  local words=$1
  shift
  if render "$@" >"$work/out" 2>&1; then fail "accepted: $*"; fi
  grep -q -- "$words" "$work/out" || { cat "$work/out" >&2; fail "$*: does not say '$words'"; }
}
refused 'no caller would be known' --set tls.clientAuth=false
refused 'contradicts' --set auth.allowUnauthenticated=true
refused 'set serviceAccount.name' --set serviceAccount.create=false
refused 'deployment.enabled to false' --set serviceAccount.namespace=airflow
refused 'runAsUser' --set podSecurityContext.runAsUser=root
refused 'runAsUser' --set podSecurityContext.runAsUser=0
refused 'leave one out' --set templates.existingConfigMap=mine --set-string 'templates.files.a\.yaml=spec: {}'
refused "'README' does not match" --set-string 'templates.files.README=no template'
refused 'templates/files' --set 'templates.files.a\.yaml.spec=no text'
refused 'additional properties' --set server.instence=typo
refused 'server/drain' --set server.drain=20
refused 'server/containerLogMaxSize' --set server.containerLogMaxSize=10MB
refused 'scope/namespaces' --set 'scope.namespaces={Not A Name}'
refused 'image/digest' --set image.digest=sha256:abc

# The certificates made here: right for the addresses, of one CA, and not the same for server and client.
render --set service.clusterIP=10.96.7.7 --set 'tls.generate.extraIPs={192.0.2.1,2001:db8::1}' \
  --set 'tls.generate.extraDNSNames={podlaunch.example.org}' --set 'tls.generate.clients={airflow,other}' \
  --show-only templates/tls.yaml >"$work/tls.yaml"
part() { # secret key
  awk -v secret="$1" -v key="$2:" '$1 == "name:" { current = $2 } $1 == key && current == secret { print $2 }' \
    "$work/tls.yaml" | base64 -d
}
part pl-podlaunch-ca tls.crt >"$work/ca.crt"
for secret in pl-podlaunch-tls pl-podlaunch-client-airflow pl-podlaunch-client-other; do
  part $secret tls.crt >"$work/$secret.crt"
  openssl verify -CAfile "$work/ca.crt" "$work/$secret.crt" >/dev/null || fail "$secret is not the CA's"
  part $secret ca.crt | cmp - "$work/ca.crt" || fail "$secret has another ca.crt"
  [ "$(part $secret tls.key | openssl pkey -pubout)" = "$(openssl x509 -in "$work/$secret.crt" -noout -pubkey)" ] ||
    fail "$secret: certificate and key do not belong together"
done
for name in -checkip:10.96.7.7 -checkip:192.0.2.1 -checkip:2001:db8::1 -checkip:127.0.0.1 -checkhost:localhost \
  -checkhost:pl-podlaunch -checkhost:pl-podlaunch.team -checkhost:pl-podlaunch.team.svc \
  -checkhost:pl-podlaunch.team.svc.cluster.local -checkhost:podlaunch.example.org; do
  openssl x509 -in "$work/pl-podlaunch-tls.crt" -noout "${name%%:*}" "${name#*:}" | grep -q 'does match' ||
    fail "the server's certificate does not fit ${name#*:}"
done
openssl x509 -in "$work/pl-podlaunch-client-airflow.crt" -noout -subject | grep -q 'CN = airflow' ||
  fail "a client's certificate does not carry its name"
if [ -n "$(part pl-podlaunch-tls ca.key)" ]; then fail "the CA's key is where the server is"; fi
# A secret of the user's means that none is made.
render --set tls.existingSecret=mine >"$work/out"
if grep -q 'kind: Secret' "$work/out"; then fail "certificates are made beside tls.existingSecret"; fi
# Without templates of others there is no right for them, and nothing is mounted.
render >"$work/out"
if grep -q -- '-templates$\|--templates\|--enforced\|--template-configmaps' "$work/out"; then fail "templates without a value"; fi
# A ConfigMap of the user's is mounted and none is made.
render --set templates.existingConfigMap=mine >"$work/out"
grep -q 'name: mine' "$work/out" && grep -q -- '--templates=/etc/podlaunch/templates' "$work/out" ||
  fail "templates.existingConfigMap is not mounted"
if grep -q 'kind: ConfigMap' "$work/out"; then fail "a ConfigMap beside templates.existingConfigMap"; fi
# What is in the ConfigMaps is what the server takes: a bad template would keep it from starting.
render --values "$deploy/tests/values/templates.yaml" --show-only templates/templates.yaml >"$work/templates.yaml"
mkdir "$work/given"
config_map() { # name key: its text, two levels of indentation taken off
  awk -v name="$1" -v key="  $2: |" '/^  name: / { current = $2 } $0 == key { on = (current == name); next }
    on && !/^    / { on = 0 } on { print substr($0, 5) }' "$work/templates.yaml"
}
config_map pl-podlaunch-templates small.yaml >"$work/given/small.yaml"
config_map pl-podlaunch-enforced enforced.yaml >"$work/enforced.yaml"
[ -s "$work/given/small.yaml" ] && [ -s "$work/enforced.yaml" ] || fail "the texts are not in the ConfigMaps"
grep -q 'hostNetwork: null' "$work/enforced.yaml" || fail "a null of what is enforced is lost"
"$binary" serve --local --listen "unix:$work/s.sock" --templates "$work/given" --enforced "$work/enforced.yaml" \
  >/dev/null 2>"$work/serve.log" &
server=$!
for _ in $(seq 100); do
  "$binary" templates --endpoint "unix:$work/s.sock" >"$work/listed" 2>/dev/null && break
  kill -0 $server 2>/dev/null || break
  sleep 0.1
done
"$binary" run --endpoint "unix:$work/s.sock" --template small --image busybox:1 --dry-run=server >"$work/pod.yaml" 2>&1 || true
kill $server 2>/dev/null || true
wait $server 2>/dev/null || true
grep -q '^small' "$work/listed" || { cat "$work/serve.log" >&2; fail "the server does not take the chart's templates"; }
grep -q 'memory: 64Mi' "$work/pod.yaml" && grep -q 'allowPrivilegeEscalation: false' "$work/pod.yaml" ||
  { cat "$work/pod.yaml" >&2; fail "a pod without the chart's template or without what is enforced"; }
# The values for the Airflow chart: they can be read, and the sidecar and its rights are about the same namespaces.
mkdir -p "$work/values/templates"
printf 'apiVersion: v2\nname: values\nversion: 0.0.1\n' >"$work/values/Chart.yaml"
echo '{{ toYaml .Values }}' >"$work/values/templates/all.yaml"
for values in sidecar service; do
  "$helm" template airflow "$work/values" --values "$deploy/airflow/$values.yaml" >"$work/$values.yaml"
  grep -q 'AIRFLOW_CONN_PODLAUNCH_DEFAULT' "$work/$values.yaml" || fail "airflow/$values.yaml makes no connection"
done
render --values "$deploy/airflow/sidecar-rights.yaml" >"$work/rights.yaml"
served=$(sed -n 's/^ *- --namespace=//p' "$work/sidecar.yaml" | sort)
granted=$(awk '/^kind:/ { kind = $2 } /^  name:/ { name = $2 }
  /^  namespace:/ && kind == "Role" && name !~ /-records$/ { print $2 }' "$work/rights.yaml" | sort)
[ -n "$served" ] && [ "$served" = "$granted" ] || fail "airflow/sidecar.yaml serves '$served', the rights are for '$granted'"
instance=$(sed -n 's/^ *- --instance=//p' "$work/sidecar.yaml")
grep -q "resourceNames: \[podlaunch-$instance\]" "$work/rights.yaml" ||
  fail "airflow/sidecar.yaml is instance '$instance', the rights are for another one's Lease"

say "chart: linted, $(ls "$deploy/tests/values" | wc -l) golden files, refusals and certificates as they should be"
