"""Compares what an account asked of the API server with the rules it has.

    audit.py AUDIT_LOG USER RULES

Fails if anything was forbidden, or if a right was used that is not in RULES or is in RULES and was not used. RULES is
the `rules` of a Role, as JSON; requests that are not about objects (/version …) count as everyone's.
"""

import json
import sys


def used(path: str, user: str) -> tuple[set[tuple[str, str]], list[str]]:
    """The (resource, verb) pairs that were asked, and what was refused."""
    pairs, refused = set(), []
    with open(path, encoding="utf-8") as log:
        for line in log:
            # Quick, and right: the name is in no other account's line as a JSON string of this form.
            if f'"username":"{user}"' not in line:
                continue
            entry = json.loads(line)
            code = entry.get("responseStatus", {}).get("code", 0)
            decision = entry.get("annotations", {}).get("authorization.k8s.io/decision")
            if decision == "forbid" or code == 403:
                refused.append(f"{entry['verb']} {entry['requestURI']}")
            reference = entry.get("objectRef")
            if reference:
                parts = [reference["resource"], reference.get("subresource")]
                pairs.add(("/".join(part for part in parts if part), entry["verb"]))
    return pairs, refused


def main() -> int:
    path, user, rules = sys.argv[1:]
    granted = {(resource, verb) for rule in json.loads(rules) for resource in rule["resources"] for verb in rule["verbs"]}
    pairs, refused = used(path, user)
    for words, found in (
        ("forbidden", refused),
        ("used and not in the rules", sorted(pairs - granted)),
        ("in the rules and not used", sorted(granted - pairs)),
    ):
        if found:
            print(f"audit: {words}: {found}", file=sys.stderr)
    print(f"audit: {len(pairs)} rights used, {len(granted)} granted, {len(refused)} requests forbidden", file=sys.stderr)
    return int(bool(refused) or pairs != granted)


if __name__ == "__main__":
    sys.exit(main())
