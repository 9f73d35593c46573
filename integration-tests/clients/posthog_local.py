"""Compares a server's answers with those of the Python SDK's own evaluator, on random flags and persons.

Usage: posthog_local.py make SEED FLAGS, which prints a project file; then, with a server that has it,
posthog_local.py compare SEED PAIRS URL, which prints each disagreement, then how many pairs of a flag and a person agreed, and
exits with 1 if any did not. The same seed makes the same flags and persons.
"""

import json
import random
import sys
from collections import Counter

import requests
from posthog import Posthog

import random_flags

MOST_PERSONS = 200


def rules(seed):
    """Both ways of comparing texts get their turn."""
    return 1 + seed % 2


def ask(url, person):
    """Asks the server for all flags and returns value and payload of each."""
    body = {
        "token": random_flags.TOKEN,
        "distinct_id": person["distinct_id"],
        "$device_id": person["device_id"],
        "person_properties": person["person_properties"],
        "groups": person["groups"],
        "group_properties": person["group_properties"],
    }
    headers = {"User-Agent": "posthog-python/7.91.1"}
    answer = requests.post(f"{url}/flags?v=2", json=body, headers=headers, timeout=60)
    answer.raise_for_status()
    told = answer.json()
    if told["errorsWhileComputingFlags"]:
        failed = [flag["key"] for flag in told["flags"].values() if flag.get("failed")]
        raise RuntimeError(f"the server could not evaluate {failed} for {person}")
    return {
        key: (flag["variant"] or flag["enabled"], flag["metadata"]["payload"])
        for key, flag in told["flags"].items()
    }


def evaluate(posthog, person):
    """Returns value and payload of each flag that the SDK decides by itself."""
    told = posthog.get_all_flags_and_payloads(
        person["distinct_id"],
        groups=person["groups"],
        person_properties=person["person_properties"],
        group_properties=person["group_properties"],
        device_id=person["device_id"],
        only_evaluate_locally=True,
    )
    payloads = told["featureFlagPayloads"]
    return {key: (value, payloads.get(key)) for key, value in told["featureFlags"].items()}


def differences(flags, there, here, seen):
    """Counts what was compared, and names the flags on which the two disagree."""
    differing = []
    for key, answer in here.items():
        flag = flags[key]
        # The server leaves out what is switched off.
        told = there.get(key) if flag["active"] else (False, None)
        # Whoever opted out gets the payload of the flag from the server; an SDK asks for one under `false`, which no flag has.
        if told and flag["filters"].get("feature_enrollment") and told[0] is False:
            told = (False, None)
        seen["text" if isinstance(answer[0], str) else answer[0]] += 1
        seen["payload"] += answer[1] is not None
        seen["pairs"] += 1
        if told != answer:
            differing.append((flag, told, answer))
    return differing


def compare(seed, pairs, url):
    source = random.Random(seed)
    flags = {flag["key"]: flag for flag in random_flags.project(source, flag_count(url), rules(seed))["projects"][0]["flags"]}
    enrolments = [f"$feature_enrollment/{key}" for key, flag in flags.items() if flag["filters"].get("feature_enrollment")]
    posthog = client(url)
    seen = Counter()
    disagreements = 0
    for _ in range(MOST_PERSONS):
        person = random_flags.person(source, enrolments)
        differing = differences(flags, ask(url, person), evaluate(posthog, person), seen)
        for flag, there, here in differing[:20]:
            print(f"seed {seed}: the server says {there}, the SDK {here}\n  flag {json.dumps(flag)}\n  person {json.dumps(person)}")
        disagreements += len(differing)
        if seen["pairs"] >= pairs or disagreements > 50:
            break
    posthog.shutdown()
    print(f"seed {seed}: {dict(seen)}")
    # If nearly all flags were off, agreement would say little.
    few = [what for what in (True, False, "text", "payload") if seen[what] < seen["pairs"] / 20]
    if few or seen["pairs"] < pairs:
        print(f"seed {seed}: too few of {few} in {seen['pairs']} pairs")
        disagreements += 1
    print(f"{seen['pairs']} checks passed, {disagreements} failed")
    return 1 if disagreements else 0


def client(url):
    posthog = Posthog(
        random_flags.TOKEN,
        host=url,
        secret_key=random_flags.SECRET,
        poll_interval=3600,
        before_send=lambda event: None,
        enable_exception_autocapture=False,
    )
    posthog.load_feature_flags()
    return posthog


def flag_count(url):
    """The number of flags, of which the seed made these."""
    headers = {"Authorization": f"Bearer {random_flags.SECRET}"}
    answer = requests.get(f"{url}/flags/definitions?token={random_flags.TOKEN}", headers=headers, timeout=60)
    answer.raise_for_status()
    return len(answer.json()["flags"])


def main(what, seed, count, *rest):
    if what == "make":
        print(json.dumps(random_flags.project(random.Random(int(seed)), int(count), rules(int(seed)))))
        return 0
    return compare(int(seed), int(count), *rest)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
