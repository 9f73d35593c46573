"""What schemathesis has to know to get past the front door: tokens that exist, and bodies that are packed as the request says.

Most generated requests get a project, a flag or a token that is there, the others keep what was generated. Which ones is decided by
the values themselves, so that the same seed makes the same requests.
"""

import base64
import gzip
import json
import zlib
from collections.abc import Mapping

import schemathesis

TOKEN = "phc_local_dev"
FLAGS = ["dark-mode", "pricing-page", "express-payment", "welcome-tour", "summer-banner"]
PERSONS = ["ada", "grace", "linus", "anon-linus"]

IN_PATHS = {"token": [TOKEN], "project": ["@current", "1"], "key": FLAGS, "part": ["start.js", "style.css"], "id": ["1", "2", "3"]}
TOKENS = ("token", "api_key", "$token")


@schemathesis.hook
def before_call(context, case, kwargs):
    if isinstance(case.path_parameters, Mapping):
        case.path_parameters = {name: known(value, IN_PATHS.get(name)) for name, value in case.path_parameters.items()}
    if isinstance(case.query, Mapping):
        case.query = in_query(case.query)
    if isinstance(case.headers, Mapping):
        for name in list(case.headers):
            if is_in_the_way(name, case.headers[name]):
                del case.headers[name]
    if case.media_type == "application/x-www-form-urlencoded":
        case.body = in_form(case.path, case.body)
        if isinstance(case.query, Mapping):
            # Forms are not packed; that packed ones are refused is tested elsewhere.
            case.query = {name: value for name, value in case.query.items() if name != "compression"}
    elif isinstance(case.body, list):
        case.body = [with_token(event) for event in case.body]
    elif isinstance(case.body, dict) and not case.path.startswith("/ofrep"):
        case.body = in_body(case.body)


def dice(value, sides):
    """A number below `sides` that depends on nothing but the value."""
    return zlib.crc32(json.dumps(value, sort_keys=True, default=str).encode()) % sides


def known(value, choices):
    """One of the choices, seven times of eight."""
    if not choices:
        return value
    number = dice(value, 8 * len(choices))
    return value if number % 8 == 0 else choices[number // 8]


def in_query(query):
    query = dict(query)
    if "token" in query:
        query["token"] = known(query["token"], [TOKEN])
    if isinstance(query.get("data"), str):
        query["data"] = event_of(query["data"])
    return query


def is_in_the_way(name, value):
    """No time is left, or the body is packed as nothing here can pack it: both are refused, which is tested elsewhere."""
    match name.lower():
        case "x-request-timeout-ms":
            return True
        case "content-encoding":
            return value in ("br", "zstd")
        case "x-posthog-project-api-key":
            return dice(value, 8) != 0
    return False


def in_form(path, body):
    """The generated text becomes somebody's id."""
    if not isinstance(body, dict) or not isinstance(body.get("data"), str):
        return body
    if path.startswith(("/flags", "/decide")):
        return {"data": packed({"token": TOKEN, "distinct_id": body["data"]})}
    return {"data": event_of(body["data"])}


def in_body(body):
    if isinstance(body.get("batch"), list):
        return {**with_token(body), "batch": [without_token(event) for event in body["batch"]]}
    body = with_token(body)
    if "distinct_id" in body:
        body = {**body, "distinct_id": known(body["distinct_id"], [*PERSONS, body["distinct_id"]])}
    return body


def with_token(value):
    """The known token as the only one; now and then what was generated."""
    if not isinstance(value, dict) or dice(value, 8) == 0:
        return value
    return {**without_token(value), "token": TOKEN}


def without_token(value):
    if not isinstance(value, dict):
        return value
    value = {name: inner for name, inner in value.items() if name not in TOKENS}
    if isinstance(value.get("properties"), dict):
        value["properties"] = {name: inner for name, inner in value["properties"].items() if name != "token"}
    return value


def event_of(text):
    return packed({"event": "$set", "distinct_id": f"id {text}", "token": TOKEN, "$set": {"plan": text}})


def packed(value):
    return base64.b64encode(json.dumps(value).encode()).decode()


@schemathesis.serializer("application/json", "text/plain")
def on_the_wire(context, value):
    """Packs JSON as the query or a header says. Browsers send it as text, often packed without a word."""
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    case = context.case
    named = case.query.get("compression") if isinstance(case.query, Mapping) else None
    encoding = case.headers.get("Content-Encoding") if isinstance(case.headers, Mapping) else None
    if named in ("gzip", "gzip-js") or encoding == "gzip":
        return gzip.compress(data, mtime=0)
    if named == "base64":
        return base64.b64encode(data)
    if encoding == "deflate":
        return zlib.compress(data)
    return gzip.compress(data, mtime=0) if case.media_type == "text/plain" and dice(value, 2) else data
