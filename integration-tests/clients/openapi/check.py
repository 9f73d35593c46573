"""Checks a server's OpenAPI document, and then the server against it with schemathesis.

Usage: check.py http://HOST:PORT SEED
"""

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import jsonschema_rs
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

HERE = Path(__file__).resolve().parent
METHODS = ("get", "post", "put", "patch", "delete")

passed = 0
failed = 0


def check(is_right, what):
    global passed, failed
    if is_right:
        passed += 1
    else:
        failed += 1
        print(f"wrong: {what}")


def check_document(document):
    check(document["openapi"].startswith("3.1."), "the version is 3.1")
    faults = [f"{fault.instance_path}: {fault.message}" for fault in OPENAPI_31_VALIDATOR.iter_errors(document)]
    check(not faults, f"a valid document: {faults[:5]}")
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                check_operation(document, f"{method.upper()} {path}", item[method])


def check_operation(document, name, operation):
    contents = [("request", operation.get("requestBody", {}).get("content", {}))]
    contents += [(status, answer.get("content", {})) for status, answer in operation["responses"].items()]
    for place, content in contents:
        for content_type, media in content.items():
            validator = validator_of(document, media["schema"])
            examples = {name: example["value"] for name, example in media.get("examples", {}).items()}
            if "example" in media:
                examples["example"] = media["example"]
            for example_name, example in examples.items():
                faults = [fault.message for fault in validator.iter_errors(example)]
                check(not faults, f"{name} {place} {content_type} {example_name}: {faults[:3]}")


def validator_of(document, schema):
    return jsonschema_rs.Draft202012Validator({**schema, "components": document["components"]})


def run_schemathesis(base, seed):
    print(f"schemathesis with seed {seed}", flush=True)
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml"), "run"]
    command += [f"{base}/openapi.json", "--seed", seed]
    environment = {**os.environ, "PYTHONPATH": str(HERE), "PYTHONDONTWRITEBYTECODE": "1"}
    finished = subprocess.run(command, env=environment, cwd=os.environ.get("TMPDIR", "/tmp"), timeout=300)
    check(finished.returncode == 0, f"schemathesis left with {finished.returncode}")


base, seed = sys.argv[1:]
with urllib.request.urlopen(f"{base}/openapi.json", timeout=20) as answer:
    described = json.load(answer)
check_document(described)
print(f"{passed} checks of the document", flush=True)
run_schemathesis(base, seed)
print(f"{passed} checks passed, {failed} failed")
sys.exit(1 if failed else 0)
