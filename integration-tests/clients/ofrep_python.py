"""Asks a server for flags with OpenFeature's unmodified OFREP provider for Python and checks every answer.

Usage: ofrep_python.py URL LIMITED_URL. The flags it expects are those of tests/api/ofrep_clients.rs; the second server lets one
request a second through. Prints a line for each check that fails, then how many passed; exits with 1 if any failed.
"""

import logging
import sys

from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import Reason

checked = 0
failures = []


def check(what, actual, expected):
    global checked
    checked += 1
    if actual != expected:
        failures.append(f"{what}: expected {expected!r}, got {actual!r}")


def client(url, domain, key="phc_local_dev", header="Authorization", prefix="Bearer "):
    headers = {header: f"{prefix}{key}"}
    api.set_provider(OFREPProvider(url, headers_factory=lambda: headers), domain)
    return api.get_client(domain)


MARIA = EvaluationContext(
    "1042",
    {"email": "maria@example.com", "groups": {"company": "acme"}, "group_properties": {"company": {"region": "eu"}}},
)


def told(details):
    return details.value, details.variant, details.reason


def values(flags):
    check("plain", told(flags.get_boolean_details("plain", False, MARIA)), (True, "true", Reason.STATIC))
    check("off", told(flags.get_boolean_details("off", True, MARIA)), (False, "false", Reason.SPLIT))
    check("inactive", told(flags.get_boolean_details("inactive", True, MARIA)), (False, "false", Reason.DISABLED))
    check("no context", told(flags.get_boolean_details("plain", True)), (True, None, Reason.ERROR))
    staff = flags.get_boolean_details("staff", False, MARIA)
    check("staff", told(staff), (True, "true", Reason.TARGETING_MATCH))
    metadata = {"flagId": 4, "version": 1, "posthogReason": "condition_match", "conditionIndex": 0, "payload": '{"desk": 3}'}
    check("its metadata", staff.flag_metadata, metadata)
    check("a stored group", told(flags.get_boolean_details("company", False, MARIA)), (True, "true", Reason.TARGETING_MATCH))
    check("a group's property", told(flags.get_boolean_details("european", False, MARIA)), (True, "true", Reason.TARGETING_MATCH))
    check("a stored person", told(flags.get_string_details("price-test", "", MARIA)), ("low", "low", Reason.SPLIT))
    stranger = EvaluationContext("stranger")
    check("a stranger", told(flags.get_boolean_details("staff", True, stranger)), (False, "false", Reason.UNKNOWN))
    # No value: what the code says counts, and that is no error.
    unmatched = flags.get_string_details("price-test", "mine", stranger)
    check("no variant", (*told(unmatched), unmatched.error_code), ("mine", "false", Reason.UNKNOWN, None))


def remote_configuration(flags):
    check("an object", flags.get_object_value("layout", {}, MARIA), {"columns": [1, 2.5], "title": "Hi"})
    check("a text", flags.get_string_value("title", "", MARIA), "Hi")
    check("an integer", flags.get_integer_value("limit", 0, MARIA), 7)
    check("a float", flags.get_float_value("ratio", 0.0, MARIA), 2.5)


def errors(flags, url):
    def failed(details):
        return details.value, details.reason, details.error_code, details.error_message

    unknown = flags.get_boolean_details("no-such-flag", True, MARIA)
    check("an unknown flag", failed(unknown), (True, Reason.ERROR, ErrorCode.FLAG_NOT_FOUND, "there is no such flag"))
    nobody = flags.get_boolean_details("plain", False, EvaluationContext(None, {"email": "x"}))
    key = "context.targetingKey is required: a text or a number"
    check("nobody", failed(nobody), (False, Reason.ERROR, ErrorCode.TARGETING_KEY_MISSING, key))
    groups = flags.get_boolean_details("plain", False, EvaluationContext("u", {"groups": "acme"}))
    unusable = "context.groups cannot be used"
    check("bad groups", failed(groups), (False, Reason.ERROR, ErrorCode.INVALID_CONTEXT, unusable))
    lost = flags.get_boolean_details("lost", True, MARIA)
    cohort = "Cohort dependency not found"
    check("a flag that fails", failed(lost), (True, Reason.ERROR, ErrorCode.GENERAL, cohort))
    mismatch = flags.get_integer_details("price-test", 5, MARIA)
    check("another type", (mismatch.value, mismatch.error_code), (5, ErrorCode.TYPE_MISMATCH))
    stranger = client(url, "stranger", "phc_nobody").get_boolean_details("plain", False, MARIA)
    check("a wrong token", failed(stranger), (False, Reason.ERROR, ErrorCode.GENERAL, "unauthorized"))
    narrow = client(url, "narrow", "phx_narrow").get_boolean_details("plain", False, MARIA)
    check("a key without the scope", failed(narrow), (False, Reason.ERROR, ErrorCode.GENERAL, "forbidden"))


def keys(url):
    for name, key in (("secret", "phs_one"), ("personal", "phx_reader")):
        check(f"a {name} key", client(url, name, key).get_boolean_value("plain", False, MARIA), True)
    other = client(url, "header", header="X-API-Key", prefix="")
    check("a token in the other header", other.get_boolean_value("plain", False, MARIA), True)


def too_often(url):
    flags = client(url, "limited")
    answers = [flags.get_boolean_details("plain", False, MARIA) for _ in range(50)]
    messages = [answer.error_message for answer in answers if answer.error_code == ErrorCode.GENERAL]
    check("a limit", messages[:1], ["Rate limited, retry after: 1"])
    check("a pause", all("paused" in message or "Rate limited" in message for message in messages), True)


def main(url, limited_url):
    # The SDK logs each failed call; here they are part of the plan.
    logging.disable(logging.CRITICAL)
    flags = client(url, "flags")
    values(flags)
    remote_configuration(flags)
    errors(flags, url)
    keys(url)
    too_often(limited_url)
    for failure in failures:
        print(failure)
    print(f"{checked - len(failures)} checks passed, {len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
