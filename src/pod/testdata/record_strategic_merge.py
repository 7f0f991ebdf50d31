#!/usr/bin/env python3
"""Records what kubectl makes of every case of strategic_merge.jsonl.

    record_strategic_merge.py            records anew; a new case is a line with name, base and patch
    record_strategic_merge.py --check    compares only; exit status 1 where kubectl answers otherwise

No cluster is needed: `kubectl patch --local --type=strategic -f pod.yaml -p … -o json`. What a case
has under `ours` or `ours_error` is kept: there podlaunch differs on purpose (see src/pod/merge.rs).
"""

import json
import pathlib
import subprocess
import sys
import tempfile

CASES = pathlib.Path(__file__).with_name("strategic_merge.jsonl")


def kubectl(base: dict, patch: dict) -> dict:
    """The merged pod without what --local adds, or the error."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        json.dump({"apiVersion": "v1", "kind": "Pod", **base}, file)
        file.flush()
        command = ["kubectl", "patch", "--local", "--type=strategic", "-f", file.name, "-p", json.dumps(patch)]
        done = subprocess.run([*command, "-o", "json"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return {"error": done.stderr.strip()}
    merged = json.loads(done.stdout)
    return {"merged": {key: value for key, value in merged.items() if key not in ("apiVersion", "kind")}}


def main() -> int:
    """Records or compares; the number of differences is told."""
    differences = 0
    lines = []
    for line in CASES.read_text().splitlines():
        case = json.loads(line)
        answer = kubectl(case["base"], case["patch"])
        before = {key: case[key] for key in ("merged", "error") if key in case}
        if before != answer:
            differences += 1
            print(f"{case['name']}: {json.dumps(answer)}", file=sys.stderr)
        kept = {key: case[key] for key in ("name", "base", "patch")}
        ours = {key: case[key] for key in ("ours", "ours_error") if key in case}
        lines.append(json.dumps({**kept, **answer, **ours}, separators=(",", ":"), ensure_ascii=False))
    if "--check" not in sys.argv[1:]:
        CASES.write_text("".join(line + "\n" for line in lines))
    print(f"{len(lines)} cases, {differences} recorded otherwise before", file=sys.stderr)
    return 1 if differences and "--check" in sys.argv[1:] else 0


if __name__ == "__main__":
    sys.exit(main())
