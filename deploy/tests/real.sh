#!/usr/bin/env bash
# The image and the chart on a real cluster, with the rights the chart gives and each of them taken away.
#
#     deploy/tests/real.sh
#
# 1. rootfs.sh, mkimage, import; `helm template | kubectl apply`; ready under its own service account.
# 2. A client pod finds the Service in its environment, launches over mTLS, and the task's lines arrive;
#    without a certificate, and in plaintext, nothing does.
# 3. Under the rules as they are every step of `scenario` passes and nothing is forbidden (audit log, server's log);
#    what is asked is what the rules say. With any one right taken away a step fails.
# 4. `helm upgrade` keeps certificates and renews them when told; cluster-wide rights; the documented way out.
#
# PODLAUNCH_E2E_KUBECONFIG      the cluster's administrator [/var/tmp/cluster/etc/admin.kubeconfig]
# PODLAUNCH_E2E_CLUSTER_TOOLS   folder with `mkimage` and `import`
# PODLAUNCH_E2E_AUDIT           the API server's audit log, where there is one
# PODLAUNCH_BINARY              what is packed [target/debug/podlaunch]
# HELM, GRPCURL                 programs; else installed by Go
set -euo pipefail
. "$(dirname "$0")/lib.sh"

export KUBECONFIG=${PODLAUNCH_E2E_KUBECONFIG:-/var/tmp/cluster/etc/admin.kubeconfig}
tools=${PODLAUNCH_E2E_CLUSTER_TOOLS:?"the folder with mkimage and import"}
audit=${PODLAUNCH_E2E_AUDIT:-}
binary=${PODLAUNCH_BINARY:-$deploy/../target/debug/podlaunch}
export PATH=$PATH:${KUBE_BIN:-/var/tmp/cluster-bin}
helm=$(go_program "${HELM:-}" helm "$HELM_MODULE")
grpcurl=$(go_program "${GRPCURL:-}" grpcurl github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3)
[ -n "$helm" ] && [ -n "$grpcurl" ] || fail "helm and grpcurl are needed: install them, or Go"

readonly id=${PODLAUNCH_DEPLOY_ID:-$$-$RANDOM}
readonly home=deploy-$id tasks=deploy-$id-tasks
readonly image=localhost/podlaunch:deploy-$id client_image=localhost/podlaunch-client:deploy-$id
name=pl-podlaunch # the release that is looked at
readonly account=system:serviceaccount:$home:$name role=$home-$name
readonly task_image=busybox:1
work=$(mktemp -d)

finish() {
  local status=$?
  [ $status = 0 ] || diagnose || true
  # Finalizers first: a namespace does not end while one holds a pod.
  release_finalizers "$tasks" >/dev/null 2>&1 || true
  kubectl delete --ignore-not-found --wait=false namespace "$home" "$tasks" >/dev/null 2>&1 || true
  kubectl delete --ignore-not-found clusterrole,clusterrolebinding "$role" "$home-wide-podlaunch" >/dev/null 2>&1 || true
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
    xargs --no-run-if-empty --max-args 1 kubectl --namespace "$1" patch --type json \
      --patch '[{"op": "remove", "path": "/metadata/finalizers"}]'
}

# --- 1. image, chart, ready ---------------------------------------------------------------

pack() { # image folder entrypoint
  "$tools/mkimage" "$1" "$2" "$work/image.tar" "[\"$3\"]"
  "$tools/import" "$work/image.tar" >/dev/null
  rm "$work/image.tar"
}

say "packing $binary"
"$deploy/rootfs.sh" "$binary" "$work/rootfs"
pack "$image" "$work/rootfs" /usr/bin/podlaunch
install -D -m 0755 "$grpcurl" "$work/client/usr/bin/grpcurl"
pack "$client_image" "$work/client" /usr/bin/grpcurl

kubectl create namespace "$home" >/dev/null
kubectl create namespace "$tasks" >/dev/null
# What the chart promises of its own pod is what the strictest admission wants.
kubectl label namespace "$home" pod-security.kubernetes.io/enforce=restricted >/dev/null

cluster_ip() { # 10.96.x.y of the service range, kept free for fixed addresses
  echo "10.96.0.$((150 + RANDOM % 100))"
}
address=$(cluster_ip)
values=(--set "image.repository=${image%:*}" --set "image.tag=${image##*:}" --set image.pullPolicy=Never
  --set "server.instance=deploy-$id" --set "server.logLevel=info\,podlaunch=debug")

say "helm template | kubectl apply"
"$helm" template pl "$chart" --namespace "$home" --kube-version "$KUBE_VERSION" "${values[@]}" \
  --set "scope.namespaces={$tasks}" --set "service.clusterIP=$address" >"$work/manifest.yaml"
kubectl apply -f "$work/manifest.yaml" >/dev/null
kubectl -n "$home" rollout status "deployment/$name" --timeout=90s >/dev/null
pod=$(kubectl -n "$home" get pods -l app.kubernetes.io/name=podlaunch -o jsonpath='{.items[0].metadata.name}')
[ "$(kubectl -n "$home" get pod "$pod" -o jsonpath='{.spec.serviceAccountName}')" = "$name" ] ||
  fail "the pod runs under another account"
say "ready: $pod as $account"

# --- 2. a client pod, through the Service, over mTLS --------------------------------------

# The address is the Service's, from the client's own environment: $(X) is expanded by the kubelet.
client_pod() { # name arguments as JSON
  local variable=${name^^}
  variable=${variable//-/_}_SERVICE # PL_PODLAUNCH_SERVICE
  kubectl -n "$home" apply -f - >/dev/null <<YAML
apiVersion: v1
kind: Pod
metadata: {name: $1, namespace: $home}
spec:
  restartPolicy: Never
  automountServiceAccountToken: false
  securityContext: {runAsNonRoot: true, runAsUser: 65532, fsGroup: 65532, seccompProfile: {type: RuntimeDefault}}
  containers:
    - name: client
      image: $client_image
      imagePullPolicy: Never
      args: ${2//ADDRESS/\$(${variable}_HOST):\$(${variable}_PORT)}
      securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
      volumeMounts: [{name: tls, mountPath: /tls, readOnly: true}]
  volumes: [{name: tls, secret: {secretName: $name-client-client, defaultMode: 0440}}]
YAML
  kubectl -n "$home" wait --for=jsonpath='{.status.phase}'=Succeeded "pod/$1" --timeout="${3:-60s}" >/dev/null 2>&1
}

request=$(printf '{"key":{"namespace":"%s","task_id":"over-tls","attempt":1},"spec":{"container":{"image":"%s","command":["echo","hello over TLS"]}}}' \
  "$tasks" "$task_image")
quoted=$(python3 -c 'import json,sys; print(json.dumps(sys.argv[1]))' "$request")
method=podlaunch.v1.PodlaunchService/LaunchTask
say "a client pod launches through the Service over mTLS"
client_pod client-mtls '["-max-time", "50", "-cacert", "/tls/ca.crt", "-cert", "/tls/tls.crt", "-key", "/tls/tls.key", "-d", '"$quoted"', "ADDRESS", "'$method'"]' ||
  { kubectl -n "$home" logs client-mtls >&2; fail "the client pod did not succeed"; }
kubectl -n "$home" logs client-mtls >"$work/events"
line=$(printf 'hello over TLS\n' | base64)
for words in ACCEPTED_HOW_CREATED TASK_STATE_SUCCEEDED DELIVERY_VERDICT_COMPLETE "$line"; do
  grep -q -- "$words" "$work/events" || { cat "$work/events" >&2; fail "$words is not in what the client got"; }
done
# Whoever is not known is not heard.
if client_pod client-unknown '["-max-time", "5", "-cacert", "/tls/ca.crt", "ADDRESS", "list"]' 15s; then
  fail "a caller without a certificate was served"
fi
if client_pod client-plaintext '["-max-time", "5", "-plaintext", "ADDRESS", "list"]' 15s; then
  fail "a caller in plaintext was served"
fi

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
  step() { echo "$1"; return 1; }

  code=0
  timeout 25 kubectl -n "$home" exec "deployment/$name" -- /usr/bin/podlaunch run \
    --endpoint unix:/run/podlaunch/podlaunch.sock --retry-for 8s --namespace "$ns" --task-id "run-$n" -o json \
    --image "$task_image" -- sh -c 'echo line $((6 * 7)); sleep 1; exit 3' >"$work/out" 2>"$work/err" || code=$?
  [ $code = 3 ] || { step "run: exit status $code in place of 3: $(tail -n 1 "$work/err")"; return 1; }
  grep -qF '"text":"line 42\n"' "$work/out" || { step "run: the task's line did not come"; return 1; }
  grep -qF '"reason":"Pulled"' "$work/out" || { step "run: Kubernetes' Pulled event was not shown"; return 1; }

  code=0
  server get --namespace "$ns" "never-launched-$n" >"$work/out" 2>&1 || code=$?
  grep -q 'TASK_UNKNOWN' "$work/out" || { step "get of an unknown task: $(tail -n 1 "$work/out")"; return 1; }

  server run --detach --retry-for 8s --namespace "$ns" --task-id "wait-$n" --node-selector no.such/node=1 \
    --image "$task_image" -- true >/dev/null 2>"$work/err" || { step "launch: $(tail -n 1 "$work/err")"; return 1; }
  server cancel --namespace "$ns" "wait-$n" >/dev/null 2>"$work/err" ||
    { step "cancel of a pod without a node: $(tail -n 1 "$work/err")"; return 1; }
  kubectl -n "$ns" wait --for=delete pod -l "podlaunch.dev/task=wait-$n" --timeout=15s >/dev/null 2>&1 ||
    { step "cancel: the pod is still there"; return 1; }
}

# The server anew, so that no watch from before lives on.
restart() {
  kubectl -n "$home" delete pod -l "app.kubernetes.io/instance=${1:-pl}" --grace-period=1 >/dev/null
  kubectl -n "$home" rollout status "deployment/$name" --timeout=60s >/dev/null 2>&1 || true
}

grant() { # rules as JSON
  kubectl -n "$tasks" patch role "$role" --type merge --patch "{\"rules\": $1}" >/dev/null
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
rules=$(kubectl -n "$tasks" get role "$role" -o json | python3 -c 'import json,sys; print(json.dumps(json.load(sys.stdin)["rules"]))')

if kubectl -n "$home" logs "deployment/$name" | grep -i 'forbidden'; then
  fail "the server was refused something"
fi
if [ -n "$audit" ]; then
  python3 "$deploy/tests/audit.py" "$audit" "$account" "$rules" || fail "the audit log and the rules disagree"
else
  say "no audit log: what was asked is not compared with the rules"
fi
may() { kubectl auth can-i "$@" --as "$account" >/dev/null 2>&1; }
may create pods -n "$tasks" || fail "the account may not create pods where it serves"
for more in "create pods -n $home" "create pods -n default" "get secrets -n $tasks" "get secrets -n $home" \
  "create pods --subresource=exec -n $tasks" "update pods -n $tasks" "patch pods --subresource=status -n $tasks" "list nodes" "list namespaces"; do
  # shellcheck disable=SC2086
  if may $more; then fail "the account may $more"; fi
done

count=0
while IFS=$'\t' read -r resource verb rest; do
  count=$((count + 1))
  grant "$rest"
  restart
  if scenario "without-$count" "$tasks" >"$work/step"; then
    fail "without $resource $verb nothing fails: the right is not needed, or the scenario does not use it"
  fi
  say "without $resource $verb: $(cut -c 1-160 "$work/step")"
done < <(rights "$rules")
[ $count -gt 0 ] || fail "the role has no rules"

grant "$rules"
restart
scenario again "$tasks" || fail "the scenario does not pass with all rights again"
say "$count rights, each needed"

# --- 4. upgrade, cluster-wide, uninstall --------------------------------------------------

wide() { # further values
  "$helm" upgrade --install wide "$chart" --namespace "$home" "${values[@]}" --set "server.instance=wide-$id" "$@" \
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
secret wide-podlaunch-ca tls.crt | base64 -d >"$work/ca.crt"
secret wide-podlaunch-client-client tls.crt | base64 -d >"$work/client.crt"
openssl verify -CAfile "$work/ca.crt" "$work/client.crt" >/dev/null || fail "the client's certificate is not the CA's"
( name=wide-podlaunch; scenario wide "$tasks" ) || fail "the scenario does not pass with cluster-wide rights"

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
