"""The scenarios that record.py can record: a pod, what is done to it, and until when it is watched."""

import json

WAITS = "sleep 600 & wait $!"


def pod(script=None, name="p", **spec):
    """A pod of one container `main`; `main` and `spec` change it."""
    main = {"name": "main", "image": "busybox:1", **spec.pop("main", {})}
    if script is not None:
        main["command"] = ["sh", "-c", script]
    others = spec.pop("others", [])
    metadata = {"name": name, **spec.pop("metadata", {})}
    spec = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 2, **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {**spec, "containers": [main, *others]}}


def container(name, script, **more):
    return {"name": name, "image": "busybox:1", "command": ["sh", "-c", script], **more}


def phase(*wanted):
    return lambda pod: pod["status"].get("phase") in wanted


def statuses(pod):
    status = pod["status"]
    return status.get("initContainerStatuses", []) + status.get("containerStatuses", [])


def waits(word):
    return lambda pod: any(s["state"].get("waiting", {}).get("reason") == word for s in statuses(pod))


def runs(name="main"):
    return lambda pod: any(s["name"] == name and "running" in s["state"] for s in statuses(pod))


ENDED = phase("Succeeded", "Failed")


def ends(manifest):
    """It ends by itself."""

    def steps(r):
        r.apply(manifest)
        r.until("its end", ENDED)
        r.rest(1)

    return steps


def hangs(manifest, what, condition, *before):
    """It waits for ever."""

    def steps(r):
        for other in before:
            r.apply(other)
        r.apply(manifest)
        r.until(what, condition)
        r.rest(3)

    return steps


def hangs_by_event(manifest, event, *before):
    def steps(r):
        for other in before:
            r.apply(other)
        r.apply(manifest)
        r.until_event(event)
        r.rest(3)

    return steps


def stopped(manifest, ready, cause, pending=None):
    """podlaunch's own stop: the annotation and the deadline in one patch."""

    def steps(r):
        r.apply(manifest)
        r.until("it to be there", ready)
        stop = {"cause": cause, "time": "2026-11-26T00:00:00Z", "grace_seconds": 2}
        if pending:
            stop["pending"] = pending
        patch = {"metadata": {"annotations": {"podlaunch.dev/stop": json.dumps(stop)}}, "spec": {"activeDeadlineSeconds": 1}}
        r.kubectl("patch", "pod", "p", "--type=merge", "-p", json.dumps(patch))
        r.until("its end", ENDED)
        r.rest(2)

    return steps


def deleted_namespace(r):
    r.apply(pod("trap 'exit 3' TERM; " + WAITS))
    r.until("it to run", runs())
    r.kubectl("delete", "namespace", r.namespace, "--wait=false")
    r.until_deleted()
    r.rest(1)


def host_port_taken(r):
    port = {"ports": [{"containerPort": 80, "hostPort": 31999}]}
    r.apply(pod(WAITS, name="first", main=port, nodeName="node-1"))
    r.until("the first to run", runs())
    r.apply(pod(WAITS, main=port, nodeName="node-1"))
    r.until("the second to be refused", phase("Failed"))
    r.rest(1)


def collected(r):
    r.apply(pod("true", nodeName="no-such-node"))
    r.until_deleted()


SIDECAR = {"restartPolicy": "Always"}
MISSING_CLASS = {
    "apiVersion": "node.k8s.io/v1",
    "kind": "RuntimeClass",
    "metadata": {"name": "corpus-no-handler"},
    "handler": "no-such-handler",
}
CONFIG = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "there"}, "data": {"other": "x"}}
FILL = "dd if=/dev/zero of=/data/file bs=1M count=40; "
SMALL = {
    "main": {"volumeMounts": [{"name": "data", "mountPath": "/data"}]},
    "volumes": [{"name": "data", "emptyDir": {"sizeLimit": "8Mi"}}],
}
PULLING = {
    "reason": "IMAGE_PULL_FAILED",
    "kubernetes_reason": "ErrImagePull",
    "kubernetes_message": "no such image",
    "never_started": "PROVEN",
}
UNPULLABLE = {"main": {"image": "registry.example/nope:1", "command": ["true"]}}

SCENARIOS = {
    # Ends by itself.
    "exit-255": ends(pod("exit 255")),
    "init-oom": ends(
        pod("true", initContainers=[container("init", "tail /dev/zero", resources={"limits": {"memory": "16Mi"}})])
    ),
    "init-start-error": ends(
        pod("true", initContainers=[{"name": "init", "image": "busybox:1", "command": ["/no/such/binary"]}])
    ),
    "other-fails-first": ends(pod("sleep 3", others=[container("side", "exit 9")])),
    "startup-probe-fails": ends(
        pod(WAITS, main={"startupProbe": {"exec": {"command": ["false"]}, "periodSeconds": 1, "failureThreshold": 1}})
    ),
    "onfailure-succeeds": ends(
        pod(
            "test -e /data/x && exit 0; touch /data/x; exit 4",
            restartPolicy="OnFailure",
            main={"volumeMounts": [{"name": "data", "mountPath": "/data"}]},
            volumes=[{"name": "data", "emptyDir": {}}],
        )
    ),
    # The pod's own deadline.
    "deadline-pulling": ends(pod(activeDeadlineSeconds=4, **UNPULLABLE)),
    "deadline-in-init": ends(pod("true", activeDeadlineSeconds=4, initContainers=[container("init", WAITS)])),
    "deadline-onfailure": ends(pod("exit 6", restartPolicy="OnFailure", activeDeadlineSeconds=6)),
    # podlaunch's own stop.
    "stop-exit0": stopped(pod("trap 'exit 0' TERM; " + WAITS), runs(), "CANCEL"),
    "stop-exit3": stopped(pod("trap 'exit 3' TERM; " + WAITS), runs(), "EXECUTION_TIMEOUT"),
    "stop-killed": stopped(pod("trap '' TERM; while :; do sleep 1; done"), runs(), "CANCEL"),
    "stop-pulling": stopped(pod(**UNPULLABLE), waits("ErrImagePull"), "STARTUP_TIMEOUT", PULLING),
    "stop-pulling-cancel": stopped(pod(**UNPULLABLE), waits("ErrImagePull"), "CANCEL", PULLING),
    # The node refuses it.
    "admission-nodeaffinity": ends(pod("true", nodeName="node-1", nodeSelector={"no-such": "label"})),
    "admission-nodeports": host_port_taken,
    "admission-sysctl": ends(
        pod("true", nodeName="node-1", securityContext={"sysctls": [{"name": "net.core.somaxconn", "value": "1"}]})
    ),
    "admission-os": ends(pod("true", nodeName="node-1", os={"name": "windows"})),
    # The cluster takes it away.
    "evicted-killed": ends(pod(FILL + WAITS, **SMALL)),
    "evicted-exit0": ends(pod("trap 'exit 0' TERM; " + FILL + WAITS, **SMALL)),
    "namespace-deleted": deleted_namespace,
    "node-never-there": collected,
    # It waits for ever.
    "missing-config-key": hangs(
        pod("true", main={"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "there", "key": "x"}}}]}),
        "its error",
        waits("CreateContainerConfigError"),
        CONFIG,
    ),
    "missing-claim": hangs_by_event(
        pod("true", volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "nosuch"}}]), "FailedScheduling"
    ),
    "runtime-class-without-handler": hangs_by_event(
        pod("true", runtimeClassName="corpus-no-handler"), "FailedCreatePodSandBox", MISSING_CLASS
    ),
    "seccomp-missing": hangs(
        pod("true", securityContext={"seccompProfile": {"type": "Localhost", "localhostProfile": "nosuch.json"}}),
        "its error",
        waits("CreateContainerError"),
    ),
    "onfailure-start-error": hangs(
        pod(main={"command": ["/no/such/binary"]}, restartPolicy="OnFailure"), "its back-off", waits("CrashLoopBackOff")
    ),
    "init-crash-loop": hangs(
        pod("true", restartPolicy="OnFailure", initContainers=[container("init", "exit 5")]),
        "its back-off",
        waits("CrashLoopBackOff"),
    ),
    "init-hangs": hangs(pod("true", initContainers=[container("init", WAITS)]), "its init container", runs("init")),
    "sidecar-unpullable": hangs(
        pod("true", initContainers=[{**container("side", WAITS), **SIDECAR, "image": "registry.example/nope:1"}]),
        "its error",
        waits("ErrImagePull"),
    ),
    "no-such-scheduler": hangs(pod("true", schedulerName="no-such-scheduler"), "it to be there", phase("Pending")),
    "other-runs-on": hangs(
        pod("exit 3", others=[container("side", WAITS)]),
        "the end of main",
        lambda p: any(s["name"] == "main" and "terminated" in s["state"] for s in statuses(p)),
    ),
}
