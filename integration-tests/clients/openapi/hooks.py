"""What schemathesis has to know to get past the front door: tokens that exist, and bodies that are packed.

Most generated requests get a project, a flag or a token that is there, the others keep what was generated. Which ones is decided by
the values themselves, so that the same seed makes the same requests.
"""

import base64
import gzip
import json
import zlib

import schemathesis

TOKEN = "phc_local_dev"
FLAGS = ["dark-mode", "pricing-page", "express-payment", "welcome-tour", "summer-banner"]
PERSONS = ["ada", "grace", "linus", "anon-linus"]


def dice(value, sides):
    """A number below `sides` that depends on nothing but the value."""
    return zlib.crc32(json.dumps(value, sort_keys=True, default=str).encode()) % sides


def known(value, choices):
    """One of the choices, seven times of eight."""
    number = dice(value, 8 * len(choices))
    return value if number % 8 == 0 else choices[number // 8]


def packed(value):
    return base64.b64encode(json.dumps(value).encode()).decode()


def is_event_path(path):
    return not path.startswith(("/flags", "/decide", "/ofrep"))


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    if not path_parameters:
        return path_parameters
    choices = {
        "token": [TOKEN],
        "project": ["@current", "1"],
        "key": FLAGS,
        "part": ["start.js", "style.css"],
    }
    return {
        name: known(value, choices[name]) if name in choices else value for name, value in path_parameters.items()
    }


@schemathesis.hook
def map_query(context, query):
    if not query:
        return query
    query = dict(query)
    if "token" in query:
        query["token"] = known(query["token"], [TOKEN])
    if query.get("compression") in ("gzip", "gzip-js"):
        # The body is not packed; that it then is refused is tested elsewhere.
        del query["compression"]
    if "data" in query:
        query["data"] = packed({"event": "$set", "distinct_id": query["data"], "token": TOKEN, "$set": {"plan": "pro"}})
    return query


@schemathesis.hook
def map_headers(context, headers):
    if not headers:
        return headers
    headers = dict(headers)
    for name in list(headers):
        match name.lower():
            case "x-request-timeout-ms" | "content-encoding":
                # No time and wrong packing are refused, which is tested elsewhere.
                del headers[name]
            case "x-posthog-project-api-key":
                headers[name] = known(headers[name], [TOKEN])
    return headers


@schemathesis.hook
def map_body(context, body):
    path = context.operation.path
    if isinstance(body, list):
        return [with_token(event) for event in body]
    if not isinstance(body, dict):
        return body
    if "data" in body and not {"batch", "event", "distinct_id", "$distinct_id", "disable_flags"} & body.keys():
        return {"data": form(path, body["data"])}
    if path.startswith("/ofrep"):
        return body
    if is_event_path(path) and isinstance(body.get("batch"), list):
        return {**with_token(body), "batch": [without_token(event) for event in body["batch"]]}
    body = with_token(body)
    if "distinct_id" in body:
        body["distinct_id"] = known(body["distinct_id"], [*PERSONS, body["distinct_id"]])
    return body


def with_token(value):
    """The known token as the only one; now and then what was generated."""
    if not isinstance(value, dict) or dice(value, 8) == 0:
        return value
    return {**without_token(value), "token": TOKEN}


def without_token(value):
    if not isinstance(value, dict):
        return value
    value = {name: inner for name, inner in value.items() if name not in ("token", "api_key", "$token")}
    if isinstance(value.get("properties"), dict):
        value["properties"] = {name: inner for name, inner in value["properties"].items() if name != "token"}
    return value


def form(path, data):
    """What a form holds: the generated text is somebody's id."""
    if is_event_path(path):
        return packed({"event": "$set", "distinct_id": f"form {data}", "token": TOKEN, "$set": {"plan": data}})
    return packed({"token": TOKEN, "distinct_id": f"form {data}"})


@schemathesis.serializer("text/plain")
def json_as_text(context, value):
    """Browsers send JSON under this type, packed or not, so that they need not ask first."""
    text = value if isinstance(value, str) else json.dumps(value)
    data = text.encode("utf-8", "surrogatepass")
    return gzip.compress(data, mtime=0) if dice(value, 2) else data
