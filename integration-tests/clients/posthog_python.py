"""Asks a server for flags with the unmodified Python SDK and checks every answer.

Usage: posthog_python.py URL. The flags it expects are those of tests/api/python_sdk.rs. Prints a line for each check that
fails, then how many passed; exits with 1 if any failed.
"""

import logging
import sys

from posthog import Posthog

checked = 0
failures = []


def check(what, actual, expected):
    global checked
    checked += 1
    if actual != expected:
        failures.append(f"{what}: expected {expected!r}, got {actual!r}")


def client(host, token="phc_local_dev"):
    """Makes a client that keeps its events: where they would go is none of this program's business."""
    events = []
    made = Posthog(
        token,
        host=host,
        before_send=events.append,  # returns None, which drops the event
        feature_flags_request_timeout_seconds=20,
        enable_exception_autocapture=False,
    )
    return made, events


def single_flags(posthog, events):
    check("simple", posthog.get_feature_flag("simple", "maria"), True)
    check("off", posthog.feature_enabled("off", "maria"), False)
    check("a dependent flag", posthog.feature_enabled("needs-simple", "maria"), True)
    check("a client-side flag", posthog.get_feature_flag("in-browsers", "maria"), None)
    check("an unknown flag", posthog.get_feature_flag("no-such-flag", "maria"), None)
    check("a flag that cannot be evaluated", posthog.get_feature_flag("lost", "maria"), None)
    # The events tell what the SDK read of the flag's record.
    told = next(e["properties"] for e in events if e["properties"]["$feature_flag"] == "simple")
    check(
        "reason, id and version",
        [told.get(f"$feature_flag_{name}") for name in ("reason", "id", "version", "response")],
        ["Matched condition set 1", 1, 1, True],
    )


def numbers_and_payloads(posthog):
    # 1042 is stored with plan = pro; the spec's own hashes give it the variant `low`.
    check("a number as id", posthog.get_feature_flag("price-test", 1042), "low")
    check("its payload", posthog.get_feature_flag_payload("price-test", "1042"), {"eur": 9})
    result = posthog.get_feature_flag_result("price-test", "1042")
    check(
        "the whole result",
        (result.enabled, result.variant, result.payload, result.reason),
        (True, "low", {"eur": 9}, "Matched condition set 1"),
    )
    properties = {"plan": "pro"}
    check("person properties", posthog.get_feature_flag("price-test", "maria", person_properties=properties), "high")
    check("without them", posthog.get_feature_flag("price-test", "maria"), False)


def groups(posthog):
    acme = {"company": "acme"}
    check("a stored group", posthog.feature_enabled("big-company", "maria", groups=acme), True)
    small = {"company": {"seats": 2}}
    overridden = posthog.feature_enabled("big-company", "maria", groups=acme, group_properties=small)
    check("group properties", overridden, False)


def whole_sets(posthog):
    on_servers = {
        "simple": True,
        "off": False,
        "price-test": False,
        "big-company": False,
        "needs-simple": True,
    }
    check("all flags", posthog.get_all_flags("maria"), on_servers)
    some = posthog.get_all_flags("maria", flag_keys_to_evaluate=["needs-simple"])
    check("chosen flags bring what they need", some, {"needs-simple": True, "simple": True})
    everything = posthog.get_all_flags_and_payloads("1042")
    check("all payloads", everything["featureFlagPayloads"], {"price-test": '{"eur": 9}'})


def wrong_token(host):
    posthog, _ = client(host, "phc_nobody")
    check("a wrong token", posthog.get_feature_flag("simple", "maria"), None)
    posthog.shutdown()


def main(host):
    # The SDK logs each failed call; here they are part of the plan.
    logging.getLogger("posthog").setLevel(logging.CRITICAL)
    posthog, events = client(host)
    single_flags(posthog, events)
    numbers_and_payloads(posthog)
    groups(posthog)
    whole_sets(posthog)
    posthog.shutdown()
    wrong_token(host)
    for failure in failures:
        print(failure)
    print(f"{checked - len(failures)} checks passed, {len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
