"""Shows what docs/local-evaluation.md says: where the Python SDK's own evaluator and the server answer differently, and where the
definitions keep them from it.

Usage: posthog_differences.py make, which prints a project file; then, with a server that has it, posthog_differences.py compare URL,
which prints each answer that is not as told, then how many were, and exits with 1 if any was not.
"""

import json
import sys

import requests
from posthog import Posthog

TOKEN = "phc_local_dev"
SECRET = "phs_local_dev"
LONG = "x" * 202
UNDECIDED = None


def person_filter(operator, value, key="v"):
    return {"type": "person", "key": key, "operator": operator, "value": value}


def when(*filters, **members):
    return {"groups": [{"properties": list(filters), "rollout_percentage": 100}], **members}


def needs(number):
    return {"type": "flag", "key": str(number), "operator": "flag_evaluates_to", "value": True}


# The flag, who is asked for, then value and payload of the server and of the SDK by itself.
CASES = [
    ("wildcard-caret", when(person_filter("semver_wildcard", "1.2.3")), {"v": "1.9.0"}, (True, None), (True, None)),
    ("wildcard-below", when(person_filter("semver_wildcard", "1.2.3")), {"v": "1.2.2"}, (False, None), (False, None)),
    ("wildcard-zero", when(person_filter("semver_wildcard", "0")), {"v": "0.9.0"}, (True, None), (True, None)),
    ("wildcard-zeros", when(person_filter("semver_wildcard", "0.0")), {"v": "0.0.9"}, (True, None), (True, None)),
    ("wildcard-zeros-above", when(person_filter("semver_wildcard", "0.0")), {"v": "0.1.0"}, (False, None), (False, None)),
    ("pattern-bool", when(person_filter("regex", True)), {"v": "true"}, (True, None), (True, None)),
    ("pattern-list", when(person_filter("regex", ["a"])), {"v": "'"}, (False, None), (False, None)),
    ("of-company", when(needs(101)), {}, (True, None), UNDECIDED),
    ("mixed-of-person", {"groups": [{"properties": [needs(102)], "aggregation_group_type_index": 0}]}, {}, (True, None), UNDECIDED),
    ("long-id", {"groups": [{"rollout_percentage": 50}]}, {}, (True, None), (False, None)),
    ("opted-out", when(feature_enrollment=True, payloads={"true": "1"}), {"$feature_enrollment/opted-out": False}, (False, "1"), (False, None)),
    ("held-out", when(aggregation_group_type_index=1, holdout={"id": 3, "exclusion_percentage": 95}), {}, ("holdout-3", None), (False, None)),
]
OTHERS = [
    ("company", when({"type": "group", "key": "seats", "operator": "gt", "value": 3, "group_type_index": 0}, aggregation_group_type_index=0)),
    ("person", when()),
]


def make():
    flags = [{"id": number + 1, "key": case[0], "active": True, "filters": case[1]} for number, case in enumerate(CASES)]
    flags += [{"id": number + 101, "key": key, "active": True, "filters": filters} for number, (key, filters) in enumerate(OTHERS)]
    project = {"id": 1, "name": "Differences", "token": TOKEN, "secret_tokens": [SECRET], "group_types": ["company", "team"]}
    return {"projects": [project | {"flags": flags}]}


def question(key, properties):
    return {
        "distinct_id": LONG if key == "long-id" else "maria",
        "person_properties": properties,
        "groups": {"company": "acme"},
        "group_properties": {"company": {"seats": 5}},
    }


def ask(url, key, asked):
    answer = requests.post(f"{url}/flags?v=2", json={"token": TOKEN, "flag_keys": [key], **asked}, timeout=60)
    answer.raise_for_status()
    flag = answer.json()["flags"][key]
    return flag["variant"] or flag["enabled"], flag["metadata"]["payload"]


def evaluate(posthog, key, asked):
    told = posthog.get_all_flags_and_payloads(
        asked["distinct_id"],
        groups=asked["groups"],
        person_properties=asked["person_properties"],
        group_properties=asked["group_properties"],
        only_evaluate_locally=True,
        flag_keys_to_evaluate=[key],
    )
    if key not in told["featureFlags"]:
        return UNDECIDED
    return told["featureFlags"][key], told["featureFlagPayloads"].get(key)


def compare(url):
    options = {"poll_interval": 3600, "before_send": lambda event: None, "enable_exception_autocapture": False}
    posthog = Posthog(TOKEN, host=url, secret_key=SECRET, **options)
    posthog.load_feature_flags()
    wrong = 0
    for key, _, properties, there, here in CASES:
        asked = question(key, properties)
        told = ask(url, key, asked), evaluate(posthog, key, asked)
        if told != (there, here):
            print(f"{key}: told {(there, here)}, found {told}")
            wrong += 1
    posthog.shutdown()
    print(f"{len(CASES) - wrong} checks passed, {wrong} failed")
    return 1 if wrong else 0


if __name__ == "__main__":
    if sys.argv[1] == "make":
        print(json.dumps(make()))
        sys.exit(0)
    sys.exit(compare(sys.argv[2]))
