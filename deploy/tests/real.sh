#!/usr/bin/env bash
# The image and the chart on a real cluster, with the rights the chart gives and each of them taken away.
#
#     deploy/tests/real.sh
#
# 1. rootfs.sh, mkimage, import; `helm template | kubectl apply`; ready under its own service account.
# 2. A client pod finds the Service in its environment, launches over mTLS, and the task's lines arrive;
#    without a certificate, and in plaintext, nothing does.
# 3. Under the rules as they are every step of `scenario` passes and nothing is forbidden (audit log, server's log);
#    what is asked is what the rules say. With any one right taken away a step fails. The rights on records and on the
#    Lease are taken away from a server each, all at once: what shows their lack takes its time.
# 4. Templates of the chart and of ConfigMaps, and what is enforced; each right on those ConfigMaps is needed.
# 5. deploy/airflow/sidecar.yaml in a pod as the Airflow chart makes it: its user reaches the socket.
# 6. `helm upgrade` keeps certificates and renews them when told; cluster-wide rights; the documented way out.
#
# PODLAUNCH_E2E_KUBECONFIG      the cluster's administrator [/var/tmp/cluster/etc/admin.kubeconfig]
# PODLAUNCH_E2E_CLUSTER_TOOLS   folder with `mkimage` and `import`
# PODLAUNCH_E2E_AUDIT           the API server's audit log, where there is one
# PODLAUNCH_BINARY              what is packed [target/debug/podlaunch]
# HELM                          the program; else installed by Go
set -euo pipefail
. "$(dirname "$0")/lib.sh"

export KUBECONFIG=${PODLAUNCH_E2E_KUBECONFIG:-/var/tmp/cluster/etc/admin.kubeconfig}
tools=${PODLAUNCH_E2E_CLUSTER_TOOLS:?"the folder with mkimage and import"}
audit=${PODLAUNCH_E2E_AUDIT:-}
binary=${PODLAUNCH_BINARY:-$deploy/../target/debug/podlaunch}
export PATH=$PATH:${KUBE_BIN:-/var/tmp/cluster-bin}
helm=$(go_program "${HELM:-}" helm "$HELM_MODULE")
[ -n "$helm" ] || fail "helm is needed: install it, or Go"

readonly id=${PODLAUNCH_DEPLOY_ID:-$$-$RANDOM}
readonly home=deploy-$id tasks=deploy-$id-tasks
readonly image=localhost/podlaunch:deploy-$id
name=pl-podlaunch # the release that is looked at
readonly account=system:serviceaccount:$home:$name role=$home-$name
instance=deploy-$id
readonly task_image=busybox:1
work=$(mktemp -d)

finish() {
  local status=$?
  [ $status = 0 ] || diagnose || true
  [ -z "$(jobs -p)" ] || { kill $(jobs -p) 2>/dev/null; wait; } || true
  # Finalizers first: a namespace does not end while one holds a pod.
  release_finalizers "$tasks" >/dev/null 2>&1 || true
  kubectl delete --ignore-not-found --wait=false namespace "$home" "$tasks" >/dev/null 2>&1 || true
  kubectl delete --ignore-not-found clusterrole,clusterrolebinding "$role" "$home-wide-podlaunch" >/dev/null 2>&1 || true
  "${KUBE_BIN:-/var/tmp/cluster-bin}/ctr" -a "${CLUSTER_DIR:-/var/tmp/cluster}/run/containerd.sock" -n k8s.io \
    images rm "$image" >/dev/null 2>&1 || true
  rm -rf "$work"
  exit $status
}
trap finish EXIT

diagnose() {
  kubectl -n "$home" get pods -o wide >&2
  kubectl -n "$home" describe pods 2>/dev/null | tail -n 25 >&2
  kubectl -n "$home" logs "deployment/$name" --tail=20 >&2
}

# docs/deploy.md, "Uninstall".
release_finalizers() { # namespace
  kubectl --namespace "$1" get pods --selector app.kubernetes.io/managed-by=podlaunch --output name |
    xargs --no-run-if-empty kubectl --namespace "$1" patch --type merge --patch '{"metadata": {"finalizers": null}}'
}

# --- 1. image, chart, ready ---------------------------------------------------------------

say "packing $binary"
"$deploy/rootfs.sh" "$binary" "$work/rootfs"
"$tools/mkimage" "$image" "$work/rootfs" "$work/image.tar" '["/usr/bin/podlaunch"]'
"$tools/import" "$work/image.tar" >/dev/null 2>"$work/err" || fail "import: $(cat "$work/err")"

kubectl create namespace "$home" >/dev/null
kubectl create namespace "$tasks" >/dev/null
# What the chart promises of its own pod is what the strictest admission wants.
kubectl label namespace "$home" pod-security.kubernetes.io/enforce=restricted >/dev/null

# Fixed addresses are taken from the low end of the service range, which Kubernetes uses last for others.
low=$((150 + RANDOM % 90))
address=10.96.0.$low wide_address=10.96.0.$((low + 1))
values=(--set "image.repository=${image%:*}" --set "image.tag=${image##*:}" --set image.pullPolicy=Never
  --set "server.logLevel=info\,podlaunch=debug" --set server.idempotencyWindow=40s)

say "helm template --skip-tests | kubectl apply"
"$helm" template pl "$chart" --skip-tests --namespace "$home" --kube-version "$KUBE_VERSION" "${values[@]}" \
  --set "server.instance=$instance" --set "scope.namespaces={$tasks}" --set "service.clusterIP=$address" >"$work/manifest.yaml"
kubectl apply -f "$work/manifest.yaml" >/dev/null
kubectl -n "$home" rollout status "deployment/$name" --timeout=90s >/dev/null
pod=$(kubectl -n "$home" get pods -l app.kubernetes.io/name=podlaunch -o jsonpath='{.items[0].metadata.name}')
[ "$(kubectl -n "$home" get pod "$pod" -o jsonpath='{.spec.serviceAccountName}')" = "$name" ] ||
  fail "the pod runs under another account"
say "ready: $pod as $account"

# --- 2. a client pod, through the Service, over TLS ---------------------------------------

# A pod beside the server's that runs `podlaunch` with these arguments and the files of a secret under /tls. ADDRESS is
# the Service's, from the pod's own environment: $(X) is expanded by the kubelet. Waits for its end; its exit status.
client_pod() { # pod secret arguments...
  local pod=$1 secret=$2 variable=${name^^} code
  variable=${variable//-/_}_SERVICE # PL_PODLAUNCH_SERVICE
  shift 2
  python3 - "$pod" "$home" "$image" "$secret" "${@//ADDRESS/\$(${variable}_HOST):\$(${variable}_PORT)}" <<'PYTHON' |
import json, sys
pod, namespace, image, secret, *arguments = sys.argv[1:]
print(json.dumps({
    "apiVersion": "v1", "kind": "Pod", "metadata": {"name": pod, "namespace": namespace},
    "spec": {
        "restartPolicy": "Never", "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "fsGroup": 65532,
                            "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{
            "name": "client", "image": image, "imagePullPolicy": "Never", "args": arguments,
            "securityContext": {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                                "capabilities": {"drop": ["ALL"]}},
            "volumeMounts": [{"name": "tls", "mountPath": "/tls", "readOnly": True}],
        }],
        "volumes": [{"name": "tls", "secret": {"secretName": secret, "defaultMode": 0o440}}],
    },
}))
PYTHON
    kubectl apply -f - >/dev/null
  kubectl -n "$home" wait "pod/$pod" --timeout=60s >/dev/null \
    --for=jsonpath='{.status.containerStatuses[0].state.terminated.exitCode}'
  code=$(kubectl -n "$home" get pod "$pod" -o jsonpath='{.status.containerStatuses[0].state.terminated.exitCode}')
  return "$code"
}
client_log() { kubectl -n "$home" logs "$1"; }

# Whoever is not known is not heard: the call fails, and no task was made.
refused() { # pod secret arguments...
  local pod=$1 secret=$2
  shift 2
  if client_pod "$pod" "$secret" run --retry-for 3s --namespace "$tasks" --task-id "$pod" --image "$task_image" "$@" -- true; then
    fail "$pod was served"
  fi
  say "$pod: $(client_log "$pod" 2>&1 | tail -n 1 | cut -c 1-160)"
  [ -z "$(kubectl -n "$tasks" get pods -l "podlaunch.dev/task=$pod" -o name)" ] || fail "$pod was served"
}

readonly certificate=(--tls-cert /tls/tls.crt --tls-key /tls/tls.key)
say "a client pod launches through the Service over mTLS"
client_pod mutual "$name-client-client" run --endpoint https://ADDRESS --tls-ca /tls/ca.crt "${certificate[@]}" \
  --namespace "$tasks" --task-id over-tls --image "$task_image" -- echo 'hello over TLS' ||
  { client_log mutual >&2; fail "the client pod did not succeed"; }
client_log mutual >"$work/out"
grep -qx 'hello over TLS' "$work/out" || { cat "$work/out" >&2; fail "the task's line did not come"; }
refused no-certificate "$name-client-client" --endpoint https://ADDRESS --tls-ca /tls/ca.crt
refused plaintext "$name-client-client" --endpoint http://ADDRESS
# The client, too, knows whom it speaks to: the system's roots do not vouch for the chart's CA.
refused unknown-server "$name-client-client" --endpoint https://ADDRESS "${certificate[@]}"

# --- 3. every right is needed, and no other -----------------------------------------------

server() { # podlaunch arguments: in the server's pod, over its socket
  local command=$1
  shift
  timeout 60 kubectl -n "$home" exec "deployment/$name" -- \
    /usr/bin/podlaunch "$command" --endpoint unix:/run/podlaunch/podlaunch.sock "$@"
}

# What users do, so that each right is used. Says which step failed and returns 1.
scenario() { # suffix namespace
  local n=$1 ns=$2 code
  # The last line of a file, without what kubectl adds to it.
  words() { grep -v '^command terminated with exit code' "$1" | grep . | tail -n 1; }

  code=0
  timeout 25 kubectl -n "$home" exec "deployment/$name" -- /usr/bin/podlaunch run \
    --endpoint unix:/run/podlaunch/podlaunch.sock --retry-for 8s --namespace "$ns" --task-id "run-$n" -o json \
    --image "$task_image" -- sh -c 'echo line $((6 * 7)); sleep 1; exit 3' >"$work/out" 2>"$work/err" || code=$?
  [ $code != 124 ] || { echo "run: no end within 25 s"; return 1; }
  [ $code = 3 ] || { echo "run: exit status $code in place of 3: $(words "$work/err")"; return 1; }
  grep -qF '"text":"line 42\n"' "$work/out" || { echo "run: the task's line did not come"; return 1; }
  grep -qF '"reason":"Pulled"' "$work/out" || { echo "run: Kubernetes' Pulled event was not shown"; return 1; }

  code=0
  server get --namespace "$ns" "never-launched-$n" >"$work/out" 2>&1 || code=$?
  grep -q 'TASK_UNKNOWN' "$work/out" || { echo "get of an unknown task: $(words "$work/out")"; return 1; }

  server run --detach --retry-for 8s --namespace "$ns" --task-id "wait-$n" --node-selector no.such/node=1 \
    --image "$task_image" -- true >/dev/null 2>"$work/err" || { echo "launch: $(words "$work/err")"; return 1; }
  server cancel --namespace "$ns" "wait-$n" >/dev/null 2>"$work/err" ||
    { echo "cancel of a pod without a node: $(words "$work/err")"; return 1; }
  kubectl -n "$ns" wait --for=delete pod -l "podlaunch.dev/task=wait-$n" --timeout=30s >/dev/null 2>&1 ||
    { echo "cancel: the pod is still there"; return 1; }
}

# The server anew, so that no watch from before lives on; when it is the keeper, for the steps wait for what that does.
restart() {
  kubectl -n "$home" delete pod -l "app.kubernetes.io/instance=${name%-podlaunch}" --grace-period=10 >/dev/null
  kubectl -n "$home" rollout status "deployment/$name" --timeout=60s >/dev/null 2>&1 || true
  eventually 30 is_held || true
}
of_lease() { kubectl -n "$home" get lease "podlaunch-$instance" -o "jsonpath={.spec.$1}" 2>/dev/null; }
# By the pod that is there now.
is_held() {
  local holder
  holder=$(of_lease holderIdentity)
  [ -n "$holder" ] && kubectl -n "$home" get pod "${holder%%_*}" >/dev/null 2>&1
}

eventually() { # seconds command...
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    [ $SECONDS -lt $deadline ] || return 1
    sleep 0.5
  done
}

# What of a task outlives its pod: recorded, deleted when its time is over, also by a server that was started since,
# and written anew for the key's next use. As `scenario`.
records_scenario() { # suffix namespace
  local n=recorded-$1 ns=$2
  record() {
    kubectl -n "$home" get configmaps -o json \
      -l "podlaunch.dev/record,podlaunch.dev/instance=$instance,podlaunch.dev/task=$n" >"$work/record"
    python3 -c 'import json, sys; print(json.dumps([one["data"] for one in json.load(open(sys.argv[1]))["items"]]))' "$work/record"
  }
  is_there() { [ "$(record)" != "[]" ]; }
  is_gone() { [ "$(record)" = "[]" ]; }
  is_another() { is_there && [ "$(record)" != "$first" ]; }
  run() { server run --retry-for 8s --namespace "$ns" --task-id "$n" --image "$task_image" "$@" -- sleep 3 >"$work/out" 2>&1; }
  release() { server delete --namespace "$ns" --attempt 1 "$n" >"$work/out" 2>&1; }

  run || { echo "run: $(tail -n 1 "$work/out")"; return 1; }
  release || { echo "delete: $(tail -n 1 "$work/out")"; return 1; }
  eventually 30 is_there || { echo "records: none of a task that was released"; return 1; }
  local first
  first=$(record)
  # As it will be put back: of a pod that was there before.
  python3 - "$work/record" >"$work/earlier" <<'PYTHON'
import json, sys
one = json.load(open(sys.argv[1]))["items"][0]
one["metadata"] = {key: one["metadata"][key] for key in ("name", "namespace", "labels")}
print(json.dumps({"apiVersion": "v1", "kind": "ConfigMap", **one}))
PYTHON
  kubectl -n "$ns" wait --for=delete pod -l "podlaunch.dev/instance=$instance,podlaunch.dev/task=$n" --timeout=45s >/dev/null 2>&1 ||
    { echo "delete: the pod of a task that was released is still there"; return 1; }
  restart
  eventually 120 is_gone || { echo "records: one whose time is over stays"; return 1; }
  # As another replica would: one whose time is over, so the keeper deletes what it sees.
  kubectl create -f "$work/earlier" >/dev/null
  eventually 20 is_gone || { echo "records: one that another replica wrote is not seen"; return 1; }
  run --detach || { echo "run again: $(tail -n 1 "$work/out")"; return 1; }
  kubectl create -f "$work/earlier" >/dev/null
  run || { echo "attach: $(tail -n 1 "$work/out")"; return 1; }
  release || { echo "delete again: $(tail -n 1 "$work/out")"; return 1; }
  eventually 30 is_another || { echo "records: the one of an earlier pod is not replaced"; return 1; }
}

# Who is the keeper: one takes the Lease, renews it, and takes it over from one that is gone. As `scenario`.
lease_scenario() {
  local renewed
  is_renewed() { [ "$(of_lease renewTime)" != "$renewed" ]; }
  eventually 30 is_held || { echo "lease: nobody holds it"; return 1; }
  renewed=$(of_lease renewTime)
  eventually 20 is_renewed || { echo "lease: it is not renewed"; return 1; }
  kubectl -n "$home" patch lease "podlaunch-$instance" --type merge --patch '{"spec": {"holderIdentity": "one-that-is-gone"}}' >/dev/null
  eventually 60 is_held || { echo "lease: it is not taken over from a replica that is gone"; return 1; }
}

grant() { # role namespace rules
  kubectl -n "$2" patch role "$1" --type merge --patch "{\"rules\": $3}" >/dev/null
}

rules_of() { # role namespace
  kubectl -n "$2" get role "$1" -o json | python3 -c 'import json,sys; print(json.dumps(json.load(sys.stdin)["rules"]))'
}

# Each "resource verb" of the rules, and the rules without it.
rights() { # rules
  python3 - "$1" <<'PYTHON'
import json, sys
rules = json.loads(sys.argv[1])
for i, rule in enumerate(rules):
    for verb in rule["verbs"]:
        rest = [dict(r) for r in rules]
        rest[i]["verbs"] = [v for v in rule["verbs"] if v != verb]
        rest = [r for r in rest if r["verbs"]]
        print(",".join(rule["resources"]), verb, json.dumps(rest, separators=(",", ":")), sep="\t")
PYTHON
}

say "the scenario under the rules as they are"
scenario whole "$tasks" || fail "the scenario does not pass with all rights"
records_scenario whole "$tasks" || fail "the scenario of records does not pass with all rights"
lease_scenario || fail "the scenario of the Lease does not pass with all rights"
rules=$(rules_of "$role" "$tasks")
record_rules=$(rules_of "$role-records" "$home")

if kubectl -n "$home" logs "deployment/$name" | grep -i 'forbidden'; then
  fail "the server was refused something"
fi
if [ -n "$audit" ]; then
  python3 "$deploy/tests/audit.py" "$audit" "$account" "${rules%]}, ${record_rules#[}" || fail "the audit log and the rules disagree"
else
  say "no audit log: what was asked is not compared with the rules"
fi
may() { kubectl auth can-i "$@" --as "$account" >/dev/null 2>&1; }
may create pods -n "$tasks" || fail "the account may not create pods where it serves"
for more in "create pods -n $home" "create pods -n default" "get secrets -n $tasks" "get secrets -n $home" \
  "get configmaps -n $tasks" "get leases/another -n $home" "create pods --subresource=exec -n $tasks" \
  "update pods -n $tasks" "patch pods --subresource=status -n $tasks" "list nodes" "list namespaces"; do
  # shellcheck disable=SC2086
  if may $more; then fail "the account may $more"; fi
done

# Servers that each lack one of the rights in the namespace of records.
without() { # number resource verb: that many lines down in `rights`
  local n=$1 resource=$2 verb=$3 own rest
  name=without$n-podlaunch instance=without$n-$id work=$work/without$n
  mkdir "$work"
  "$helm" template "without$n" "$chart" --skip-tests --namespace "$home" --kube-version "$KUBE_VERSION" "${values[@]}" \
    --set "server.instance=$instance" --set "scope.namespaces={$tasks}" --set listener.enabled=false \
    --set replicaCount=0 | kubectl apply -f - >/dev/null
  # Its own rules, for they name its own Lease.
  own=$(rules_of "$home-$name-records" "$home")
  rest=$(rights "$own" | sed -n "${n}p" | cut -f 3)
  [ -n "$rest" ] || exit 2
  grant "$home-$name-records" "$home" "$rest"
  kubectl -n "$home" scale "deployment/$name" --replicas=1 >/dev/null
  kubectl -n "$home" rollout status "deployment/$name" --timeout=120s >/dev/null
  case $resource in
    configmaps) records_scenario "without-$n" "$tasks" ;;
    leases) lease_scenario ;;
    *) echo "no scenario knows $resource"; exit 2 ;;
  esac >"$work/step" && exit 3
  kubectl -n "$home" scale "deployment/$name" --replicas=0 >/dev/null
  say "without $resource $verb: $(cut -c 1-160 "$work/step")"
}
records_count=0
declare -A jobs
while IFS=$'\t' read -r resource verb _; do
  records_count=$((records_count + 1))
  (trap - EXIT; without "$records_count" "$resource" "$verb") </dev/null &
  jobs[$!]="$resource $verb"
done < <(rights "$record_rules")
[ $records_count -gt 0 ] || fail "the role for records has no rules"
# All of them before the next steps, whose own waits would be too short for a machine that does so much.
for job in "${!jobs[@]}"; do
  status=0
  wait "$job" || status=$?
  [ $status != 3 ] || fail "without ${jobs[$job]} nothing fails: the right is not needed, or its scenario does not use it"
  [ $status = 0 ] || fail "without ${jobs[$job]}: the test itself failed (exit status $status)"
done

count=0
while IFS=$'\t' read -r resource verb rest; do
  count=$((count + 1))
  grant "$role" "$tasks" "$rest"
  restart
  if scenario "without-$count" "$tasks" >"$work/step"; then
    fail "without $resource $verb nothing fails: the right is not needed, or the scenario does not use it"
  fi
  say "without $resource $verb: $(cut -c 1-160 "$work/step")"
done < <(rights "$rules")
[ $count -gt 0 ] || fail "the role has no rules"

grant "$role" "$tasks" "$rules"
restart
scenario again "$tasks" || fail "the scenario does not pass with all rights again"
say "$count rights and $records_count on records and the Lease, each needed"

# --- 4. templates, and what is enforced ----------------------------------------------------

# Records are elsewhere: what this server may do with config maps of its namespace it has by the role for templates.
say "templates of the chart and of ConfigMaps, and what is enforced"
template_map() { # name
  kubectl -n "$home" create configmap "$1" --from-literal="$1.yaml=spec: {priorityClassName: system-node-critical}" >/dev/null
  kubectl -n "$home" label configmap "$1" podlaunch.dev/templates=true >/dev/null
}
templates_scenario() { # suffix
  listed() { server templates >"$work/out" 2>&1 && grep -q "^$1 " "$work/out"; }
  eventually 30 listed chart || { echo "templates: the chart's own is not there"; return 1; }
  eventually 10 listed before || { echo "templates: that of a ConfigMap is not known"; return 1; }
  template_map "later-$1"
  eventually 10 listed "later-$1" || { echo "templates: a ConfigMap that came later is not seen"; return 1; }
  server run --namespace "$tasks" --template chart --image "$task_image" --dry-run=server >"$work/out" 2>&1 &&
    grep -q 'given: by-the-chart' "$work/out" && grep -q 'cost-center: enforced' "$work/out" ||
    { echo "dry run: $(tail -n 1 "$work/out")"; return 1; }
}
templates_of() {
  local rules count=0
  name=given-podlaunch
  again() {
    kubectl -n "$home" delete pod -l app.kubernetes.io/instance=given --grace-period=5 >/dev/null
    kubectl -n "$home" rollout status "deployment/$name" --timeout=90s >/dev/null
  }
  template_map before
  "$helm" template given "$chart" --skip-tests --namespace "$home" --kube-version "$KUBE_VERSION" "${values[@]}" \
    --set "server.instance=given-$id" --set "scope.namespaces={$tasks}" --set listener.enabled=false \
    --set "records.namespace=$tasks" --set templates.configMaps.enabled=true \
    --set-string 'templates.files.chart\.yaml=metadata: {labels: {given: by-the-chart}}' \
    --set-string 'enforced="*": {metadata: {labels: {cost-center: enforced}}}' | kubectl apply -f - >/dev/null
  kubectl -n "$home" rollout status "deployment/$name" --timeout=90s >/dev/null
  templates_scenario whole || fail "the scenario of templates does not pass"
  rules=$(rules_of "$home-$name-templates" "$home")
  while IFS=$'\t' read -r resource verb rest; do
    count=$((count + 1))
    grant "$home-$name-templates" "$home" "$rest"
    again
    if templates_scenario "without-$count" >"$work/step"; then fail "without $resource $verb nothing fails"; fi
    say "templates without $resource $verb: $(cut -c 1-160 "$work/step")"
  done < <(rights "$rules")
  [ $count = 2 ] || fail "the role for templates has other rights than list and watch: $rules"
  kubectl -n "$home" scale "deployment/$name" --replicas=0 >/dev/null
}
(trap - EXIT; templates_of)

# --- 5. the sidecar in a scheduler's pod ---------------------------------------------------

# The Airflow chart puts the values into its scheduler's pod by these very lines; its user is 50000, its group 0.
say "deploy/airflow/sidecar.yaml in a scheduler's pod"
mkdir -p "$work/airflow/templates"
printf 'apiVersion: v2\nname: airflow\nversion: 0.0.1\n' >"$work/airflow/Chart.yaml"
cat >"$work/airflow/templates/pod.yaml" <<'YAML'
apiVersion: v1
kind: ServiceAccount
metadata: {name: airflow-scheduler}
---
apiVersion: v1
kind: Pod
metadata: {name: airflow-scheduler}
spec:
  serviceAccountName: airflow-scheduler
  restartPolicy: Never
  securityContext: {runAsUser: 50000, fsGroup: 0, runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
  containers:
    - name: scheduler
      image: {{ .Values.image }}
      imagePullPolicy: Never
      args: [run, --endpoint, "unix:/run/podlaunch/podlaunch.sock", --retry-for, 20s, --namespace, {{ .Values.tasks }},
             --task-id, beside, --image, {{ .Values.taskImage }}, --, echo, hello from beside]
      securityContext: {runAsGroup: 0, allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
      volumeMounts:
        {{- tpl (toYaml .Values.scheduler.extraVolumeMounts) . | nindent 8 }}
    {{- tpl (toYaml .Values.scheduler.extraContainers) . | nindent 4 }}
  volumes:
    {{- tpl (toYaml .Values.scheduler.extraVolumes) . | nindent 4 }}
YAML
sed -e "s|image: ghcr.io/.*|image: $image|; s|imagePullPolicy: .*|imagePullPolicy: Never|" \
  -e "s|--namespace=airflow|--namespace=$tasks|; s|--instance=airflow|--instance=beside-$id|" \
  "$deploy/airflow/sidecar.yaml" >"$work/sidecar.yaml"
"$helm" template rights "$chart" --namespace "$home" --kube-version "$KUBE_VERSION" \
  --values "$deploy/airflow/sidecar-rights.yaml" --set "serviceAccount.namespace=$home" --set "server.instance=beside-$id" \
  --set "scope.namespaces={$tasks}" | kubectl apply -f - >/dev/null
"$helm" template airflow "$work/airflow" --values "$work/sidecar.yaml" --set "image=$image" --set "tasks=$tasks" \
  --set "taskImage=$task_image" | kubectl -n "$home" apply -f - >/dev/null
kubectl -n "$home" wait pod/airflow-scheduler --timeout=60s >/dev/null \
  --for=jsonpath='{.status.containerStatuses[?(@.name=="scheduler")].state.terminated.exitCode}'=0 ||
  { kubectl -n "$home" logs airflow-scheduler --all-containers >&2; fail "the scheduler's container did not reach the sidecar"; }
kubectl -n "$home" logs airflow-scheduler --container scheduler >"$work/out"
grep -qx 'hello from beside' "$work/out" || fail "the task's line did not come through the sidecar"
kubectl -n "$home" delete pod airflow-scheduler --grace-period=1 --wait=false >/dev/null

# --- 6. upgrade, cluster-wide, uninstall --------------------------------------------------

wide() { # further values
  "$helm" upgrade --install wide "$chart" --namespace "$home" "${values[@]}" --set "server.instance=wide-$id" \
    --set "service.clusterIP=$wide_address" "$@" \
    --wait --timeout 90s >/dev/null
}
secret() { # name key
  kubectl -n "$home" get secret "$1" -o "jsonpath={.data.${2//./\\.}}"
}
say "helm install, cluster-wide; upgrade; renewal"
wide
before=$(secret wide-podlaunch-tls tls.crt) ca=$(secret wide-podlaunch-ca tls.crt)
wide --set podLabels.again=yes
[ "$(secret wide-podlaunch-tls tls.crt)" = "$before" ] || fail "an upgrade changed the certificate"
wide --set tls.generate.renew=now
[ "$(secret wide-podlaunch-tls tls.crt)" != "$before" ] || fail "the certificate was not renewed"
[ "$(secret wide-podlaunch-ca tls.crt)" = "$ca" ] || fail "the renewal changed the CA"
kubectl -n "$home" delete secret wide-podlaunch-ca >/dev/null
wide --set tls.generate.renew=now
[ "$(secret wide-podlaunch-ca tls.crt)" != "$ca" ] || fail "the CA was not made anew"
secret wide-podlaunch-ca tls.crt | base64 -d >"$work/ca.crt"
secret wide-podlaunch-client-client tls.crt | base64 -d >"$work/client.crt"
openssl verify -CAfile "$work/ca.crt" "$work/client.crt" >/dev/null || fail "the client's certificate is not the CA's"
# The running server takes the new files as soon as the kubelet has put them there: no restart, `helm test` passes.
running() { kubectl -n "$home" get pods -l app.kubernetes.io/instance=wide,app.kubernetes.io/name=podlaunch -o name; }
before=$(running)
deadline=$((SECONDS + 180))
until "$helm" test wide --namespace "$home" --timeout 30s >/dev/null 2>&1; do
  [ $SECONDS -lt $deadline ] || fail "helm test: the server does not use the new certificates"
done
[ "$(running)" = "$before" ] || fail "the server was replaced"
( name=wide-podlaunch; scenario wide "$tasks" ) || fail "the scenario does not pass with cluster-wide rights"

say "callers known by tokens"
kubectl -n "$home" create secret generic tokens --from-literal=tokens='airflow:a-token-of-32-characters-or-more' >/dev/null
kubectl -n "$home" create secret generic caller --from-literal=token=a-token-of-32-characters-or-more \
  --from-literal=wrong=another-token-of-32-characters-x --from-file="ca.crt=$work/ca.crt" >/dev/null
wide --set tls.generate.renew=now --set tls.clientAuth=false --set auth.tokens.existingSecret=tokens
name=wide-podlaunch
client_pod token caller run --endpoint https://ADDRESS --tls-ca /tls/ca.crt --token-file /tls/token \
  --namespace "$tasks" --task-id by-token --image "$task_image" -- true ||
  { client_log token >&2; fail "a caller with a token was not served"; }
refused no-token caller --endpoint https://ADDRESS --tls-ca /tls/ca.crt
refused wrong-token caller --endpoint https://ADDRESS --tls-ca /tls/ca.crt --token-file /tls/wrong

say "uninstall: a task outlives the server, and its pod is released"
kubectl -n "$home" exec deployment/wide-podlaunch -- /usr/bin/podlaunch run --endpoint unix:/run/podlaunch/podlaunch.sock \
  --detach --namespace "$tasks" --task-id left --image "$task_image" -- sleep 300 >/dev/null 2>&1
"$helm" uninstall wide --namespace "$home" --wait >/dev/null
kubectl delete -n "$home" --ignore-not-found -f "$work/manifest.yaml" >/dev/null 2>&1 || true
kubectl -n "$tasks" delete pod -l podlaunch.dev/task=left --grace-period=1 --wait=false >/dev/null
release_finalizers "$tasks" >/dev/null
kubectl -n "$tasks" wait --for=delete pod -l podlaunch.dev/task=left --timeout=30s >/dev/null ||
  fail "the pod is still there after its finalizer was removed"
say "passed"
