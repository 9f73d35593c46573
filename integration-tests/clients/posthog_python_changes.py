"""Changes people, groups and ids with the unmodified Python SDK, evaluates flags by itself, and checks what it sees and reports.

Usage: posthog_python_changes.py URL. The flags it expects are those of tests/api/posthog_clients.rs. When it prints "change",
whoever runs it switches the flag `beta` on or off. Prints a line for each check that fails, then how many passed; exits with 1 if
any failed.
"""

import logging
import socket
import sys
import time

import requests
from posthog import Posthog

TOKEN = "phc_local_dev"
SECRET = "phs_one"
PATIENCE_S = 30

checked = 0
failures = []
# Each request of the SDK as path and status; the SDK itself is left as it is.
answers = []
logged = []


def check(what, actual, expected):
    global checked
    checked += 1
    if actual != expected:
        failures.append(f"{what}: expected {expected!r}, got {actual!r}")


def wait_for(what, condition):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(0.02)


class Listener(logging.Handler):
    def emit(self, record):
        logged.append((record.levelname, record.getMessage()))


def listen():
    send = requests.Session.send

    def told(session, request, **options):
        response = send(session, request, **options)
        answers.append((request.path_url.split("?")[0].rstrip("/"), response.status_code))
        return response

    requests.Session.send = told
    logger = logging.getLogger("posthog")
    logger.handlers = [Listener()]
    logger.propagate = False


def client(host, token=TOKEN, **options):
    options = {"feature_flags_request_timeout_seconds": 20, "flush_interval": 0.1, **options}
    return Posthog(token, host=host, enable_exception_autocapture=False, **options)


def statuses(path, since=0):
    return [status for asked, status in answers[since:] if asked == path]


def local_evaluation(host):
    posthog = client(host, secret_key=SECRET, poll_interval=0.1, before_send=lambda event: None)
    posthog.load_feature_flags()

    def here(key, person, **more):
        return posthog.get_feature_flag(key, person, only_evaluate_locally=True, **more)

    pro = {"person_properties": {"plan": "pro"}}
    acme = {"groups": {"company": "acme"}, "group_properties": {"company": {"seats": 40}}}
    check("off, here", here("beta", "maria"), False)
    check("a property, here", here("pro", "maria", **pro), True)
    check("a variant, here", here("price-test", "1042", **pro), "low")
    check("another variant, here", here("price-test", "maria", **pro), "high")
    result = posthog.get_feature_flag_result("price-test", "1042", only_evaluate_locally=True, **pro)
    check("a payload, here", (result.enabled, result.variant, result.payload), (True, "low", {"eur": 9}))
    check("a dependent flag, here", here("needs-pro", "maria", **pro), True)
    check("a cohort, here", here("staff", "maria", person_properties={"email": "Maria@Example.com"}), True)
    check("a negated cohort, here", here("outsiders", "maria", person_properties={"email": "m@acme.test"}), True)
    check("a group, here", here("big-company", "maria", **acme), True)
    check("no group, here", here("big-company", "maria"), False)
    check("a missing property, here", here("pro", "maria"), None)
    check("a missing cohort, here", here("lost", "maria"), None)
    check("nothing was asked of the server", statuses("/flags"), [])
    check("what is not known is asked", posthog.get_feature_flag("pro", "maria"), False)
    check("once", statuses("/flags"), [200])

    polls = lambda: statuses("/flags/definitions")  # noqa: E731
    wait_for("polls", lambda: len(polls()) >= 3)
    check("polls", polls()[:3], [200, 304, 304])
    print("change", flush=True)
    wait_for("the change", lambda: here("beta", "maria") is True)
    check("a change is fetched once", polls().count(200), 2)
    so_far = len(polls())
    wait_for("polls after the change", lambda: len(polls()) >= so_far + 2)
    check("nothing new after it", polls().count(200), 2)
    print("change", flush=True)
    wait_for("the change back", lambda: here("beta", "maria") is False)
    posthog.shutdown()


def people(host, mode, path):
    """Everything that changes a person is seen by the next request."""
    failed = []
    posthog = client(host, capture_mode=mode, on_error=lambda error, batch: failed.append(str(error)))
    since = len(answers)

    def name(person):
        return f"{person}-{mode}"

    def is_pro(person, **more):
        posthog.flush()
        return posthog.feature_enabled("pro", name(person), **more)

    check(f"{mode}: nobody", is_pro("anna"), False)
    posthog.set(distinct_id=name("anna"), properties={"plan": "pro"})
    check(f"{mode}: set", is_pro("anna"), True)
    posthog.set_once(distinct_id=name("anna"), properties={"plan": "free"})
    check(f"{mode}: set once", is_pro("anna"), True)
    posthog.alias(name("anna"), name("anna-phone"))
    check(f"{mode}: alias", is_pro("anna-phone"), True)
    posthog.set(distinct_id=name("anna-phone"), properties={"plan": "free"})
    check(f"{mode}: one person", is_pro("anna"), False)

    posthog.set(distinct_id=name("anon-bert"), properties={"plan": "pro"})
    check(f"{mode}: before the login", (is_pro("anon-bert"), is_pro("bert")), (True, False))
    anonymous = {"$anon_distinct_id": name("anon-bert"), "$set": {"email": "bert@example.com"}}
    posthog.capture("$identify", distinct_id=name("bert"), properties=anonymous)
    check(f"{mode}: identify", is_pro("bert"), True)
    check(f"{mode}: its properties", posthog.feature_enabled("staff", name("anon-bert")), True)
    posthog.capture("$set", distinct_id=name("bert"), properties={"$unset": ["plan"]})
    check(f"{mode}: unset", is_pro("bert"), False)
    posthog.capture("bought", distinct_id=name("bert"), properties={"$set": {"plan": "pro"}, "$process_person_profile": False})
    check(f"{mode}: no profile", is_pro("bert"), False)

    company = {"company": name("acme")}
    check(f"{mode}: an unknown group", posthog.feature_enabled("big-company", name("bert"), groups=company), False)
    posthog.group_identify("company", name("acme"), {"seats": 40})
    posthog.flush()
    check(f"{mode}: a group", posthog.feature_enabled("big-company", name("bert"), groups=company), True)
    check(f"{mode}: another group", posthog.feature_enabled("big-company", name("bert"), groups={"company": "small"}), False)

    posthog.shutdown()
    sent = statuses(path, since)
    check(f"{mode}: events are taken", (set(sent), len(sent) >= 9), ({200}, True))
    check(f"{mode}: events go nowhere else", {asked for asked, _ in answers[since:]}, {path, "/flags"})
    check(f"{mode}: no errors", failed, [])


def called(host, token, key):
    """Asks for a flag and returns its value and what the event about it says went wrong."""
    events = []
    posthog = client(host, token, before_send=lambda event: events.append(event))
    value = posthog.get_feature_flag(key, "maria")
    posthog.shutdown()
    return value, [event["properties"].get("$feature_flag_error") for event in events]


def errors(host):
    check("no error", called(host, TOKEN, "beta"), (False, [None]))
    check("an unknown flag", called(host, TOKEN, "no-such-flag"), (None, ["flag_missing"]))
    value, (error,) = called(host, TOKEN, "lost")
    check("a flag that fails", (value, "errors_while_computing_flags" in error), (None, True))
    check("a wrong token", called(host, "phc_nobody", "beta"), (None, ["api_error_401"]))
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{closed.getsockname()[1]}"
        check("no server", called(nowhere, TOKEN, "beta"), (None, ["connection_error"]))

    for mode in ("v0", "v1"):
        told = []
        posthog = client(host, "phc_nobody", capture_mode=mode, on_error=lambda error, batch: told.append((error, len(batch))))
        posthog.set(distinct_id="maria", properties={"plan": "pro"})
        posthog.shutdown()
        check(f"{mode}: a wrong token, for events", [(getattr(error, "status", None), size) for error, size in told], [(401, 1)])

    logged.clear()
    posthog = client(host, secret_key="phs_nobody", poll_interval=3600, before_send=lambda event: None)
    posthog.load_feature_flags()
    words = [message for level, message in logged if level == "ERROR"]
    check("a wrong secret is logged", any("Error loading feature flags" in message for message in words), True)
    check("without definitions", posthog.feature_flags, [])
    check("the server is asked instead", posthog.get_feature_flag("price-test", "1042", person_properties={"plan": "pro"}), "low")
    posthog.shutdown()


def main(host):
    listen()
    local_evaluation(host)
    people(host, "v0", "/batch")
    people(host, "v1", "/i/v1/analytics/events")
    errors(host)
    for failure in failures:
        print(failure)
    print(f"{checked - len(failures)} checks passed, {len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
