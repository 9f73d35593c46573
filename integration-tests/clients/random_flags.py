"""Makes random flags, cohorts and persons on which the Python SDK's own evaluator and a server have to agree.

What evaluation.md, section 10, says they answer differently is not made; each comment "left out" names one of its rows and stands
where the thing would have been. The SDK goes on with the next condition where it cannot decide one, so that a later condition may
answer what an earlier one would have: therefore nothing is made that it cannot decide.
"""

TOKEN = "phc_local_dev"
SECRET = "phs_local_dev"
GROUP_TYPES = ["company", "team"]
VARIANTS = ["control", "test", "Test", "a b", "größe"]

# Left out: absent properties and `is_not_set` on them (every person has every key); `$os`, `$initial_` and GeoIP names and
# `distinct_id` as a property, which only the server fills in; the text `inf`, which only the server reads as a number.
VALUES = {
    "plan": ["pro", "PRO", "free", "Free ", "", "pro-plus", "straße", "STRASSE", "ÄRGER", "ärger", "ΟΔΟΣ", "οδος", "İx", "null", None, ["pro"], ["pro", 1]],
    "seats": [0, 5, 5.0, "5", "05", 7, "7.5", 40, -3, "-3", 1e3, "1e3", " 5", "5 ", "five", ".5", "5.", True, False, None, [], 12345678901234567890, 0.1, 1e-7, 1e22, 1e16, -0.0],
    "beta": [True, False, "true", "FALSE", "True", "maybe", 0, 1, "", None, [], [True], ["true", "false"], {}],
    "email": ["ada@example.com", "ADA@EXAMPLE.COM", "bob@acme.test", "bob+x@acme.test\n", "x", "", "李雷@例.test", "a.b@acme.test", 17],
    "nested": [{"a": 1}, {"b": [1, 2.5], "a": "x"}, {"a": 1, "ü": None}, [1, 2], [1.0, 2], "{\"a\":1}", "[1,2]", [], {}, "tab\tquote\""],
}
OTHER = ["é", "e-7", "σ", 0.1, 1e22, "Straße", "prO", 5, 5.0, "5", True, False, "true", [], ["pro", "FREE"], [True, "pro"], ["true", "false"], [True], [5, "7"], [None, "x"], {"a": 1}, "😀"]

# Left out: P as Unix seconds, digits in text (a year to the SDK), relative dates as P, and what is no date at all.
DATES = [
    "2019-02-28", "2020-02-29", "2024-06-30", "2024-06-30T12:00:00Z", "2024-06-30 12:00:00", "2024-06-30T14:00:00+02:00",
    "2024-06-30T12:00", "2024-06-30T12:00:00.250Z", "2023-12-31T23:59:59-05:00", "2031-01-01", "2025-10-26T02:30:00", None,
]  # fmt: skip
RELATIVE_DATES = ["7d", "-7d", "-1h", "30d", "-3w", "18m", "-31m", "2y", "-7y", "0d", "9999h"]

# Left out: pre-release and build parts, leading zeros, `V`, four parts, and what cannot be read.
VERSIONS = ["1.2.3", "v1.2.3", "1.2", "1", "2.0.0", "1.10.0", "1.9.9", "0.2.3", "0.2.4", "0.0.3", "0.3", "0", "1.2.3 ", 1.2, 2, 1.0, "10.20.30"]
# Left out: `1.*.3`, which the SDK reads as `1.*`. Those without a star are written otherwise in the definitions.
WILDCARDS = ["1.*", "1.*.*", "1.2.*", "0.*", "0.2.*", "2.*", "10.20.*", "1.2.3", "1.2", "1", "0.2", "0.2.3", "0.0.3", "0.0", "0", 1.2, 2, 0]

# Left out: look-around, back-references, `\b`, inline flags, and those broken patterns that the SDK cannot tell.
PATTERNS = [
    "ada", "^ada", "@acme\\.test$", "^[a-z.]+@acme", "(?:bob|ada)@", "[^@]+@[^@]+", "\\d", "^\\w+$", "\\s", "x{1,2}", "^$", "", "o+", "A",
    "(", "[a", "例", "[\"{]", "^.$", "p.o", "\\.", "ll$", 5, 5.0, 7.5, True, False, ["a", 1], [5.0], {"b": 1},
]  # fmt: skip

EQUALITY = ["exact", "is_not", "is_set", "is_not_set"]
TEXT = ["icontains", "not_icontains", "starts_with", "not_starts_with", "ends_with", "not_ends_with"]
NUMBERS = ["gt", "gte", "lt", "lte"]
# Left out: `is_date_exact`, `between`, `not_between`, `icontains_multi`, `person_metadata`, which the SDK does not know.
DATE = ["is_date_before", "is_date_after"]
SEMVER = [f"semver_{name}" for name in ("eq", "neq", "gt", "gte", "lt", "lte", "tilde", "caret", "wildcard")]


def property_filter(random, kind="person"):
    """Makes a filter on a property. Left out: a value that is null or missing, which matches nothing on the server."""
    made = {"type": kind}
    family = random.choice(["equality", "equality", "text", "text", "regex", "number", "date", "semver"])
    key = random.choice(list(VALUES))
    if family == "date":
        made |= {"key": "born", "operator": random.choice(DATE)}
        made["value"] = random.choice([date for date in DATES if date] + RELATIVE_DATES)
    elif family == "semver":
        operator = random.choice(SEMVER)
        made |= {"key": "version", "operator": operator}
        made["value"] = random.choice(WILDCARDS if operator == "semver_wildcard" else VERSIONS)
    elif family == "number":
        # What is no number is undecided here.
        made |= {"key": random.choice(["seats", "seats", "plan", "beta"]), "operator": random.choice(NUMBERS)}
        made["value"] = random.choice([0, 5, 5.0, "5", 7, 7.5, "7.5", "-3", 40, "1e3", ".5", "+5"])
    elif family == "regex":
        made |= {"key": key, "operator": random.choice(["regex", "not_regex"]), "value": random.choice(PATTERNS)}
    else:
        made |= {"key": key, "operator": random.choice(TEXT if family == "text" else EQUALITY), "value": some_value(random, key)}
        if made["operator"] == "exact" and random.random() < 0.3:
            del made["operator"]
    return made


def some_value(random, key):
    """Picks a value that has a chance to match the key."""
    own = [value for value in VALUES[key] if value is not None]
    if random.random() < 0.3:
        return random.choice(OTHER)
    if random.random() < 0.3:
        return random.sample(VALUES[key], random.randint(1, 3))
    value = random.choice(own)
    if isinstance(value, str) and len(value) > 2 and random.random() < 0.4:
        start = random.randrange(len(value) - 1)
        return random.choice([value[start : start + 3], value.upper(), value.swapcase()])
    return value


def cohort_tree(random, cohorts, depth=0):
    """Makes a tree of filters. Left out: an empty `OR`, and leaves about behaviour."""
    entries = []
    for _ in range(random.randint(1, 3)):
        chance = random.random()
        if depth < 3 and chance < 0.3:
            entries.append(cohort_tree(random, cohorts, depth + 1))
            continue
        leaf = property_filter(random, "group" if chance > 0.95 else "person")
        if cohorts and chance < 0.45:
            leaf = cohort_filter(random, cohorts)
        if random.random() < 0.3:
            leaf["negation"] = random.choice([True, True, False, None])
        entries.append(leaf)
    kind = random.choice(["AND", "OR"])
    if random.random() < 0.04:
        return {"type": "AND", "values": []}
    return {"type": kind, "values": entries}


def cohort_filter(random, cohorts):
    """Makes a filter on a cohort. Left out: static and missing cohorts, and the operator `exact`."""
    made = {"type": "cohort", "key": "id", "value": random.choice(cohorts)["id"]}
    operator = random.choice(["in", "in", "not_in", None])
    return made | ({"operator": operator} if operator else {})


def dependency(random, flags):
    """Makes a filter on another flag. Left out: missing flags and cycles: only flags that come before are named."""
    flag = random.choice(flags)
    variants = [variant["key"] for variant in (flag["filters"].get("multivariate") or {"variants": []})["variants"]]
    value = random.choice([True, True, False, "true", 5, *variants, *variants])
    return {"type": "flag", "key": str(flag["id"]), "operator": "flag_evaluates_to", "value": value}


def condition(random, aggregation, cohorts, dependencies):
    """Makes a condition about persons (None) or about groups of a type.

    Left out: filters on persons and cohorts in a condition about groups, where the SDK reads the group.
    """
    made = {}
    filters = []
    for _ in range(random.choice([0, 1, 1, 1, 2, 3])):
        chance = random.random()
        if chance < 0.2 and dependencies:
            filters.append(dependency(random, dependencies))
        elif chance < 0.4 and aggregation is None and cohorts:
            filters.append(cohort_filter(random, cohorts))
        elif aggregation is None:
            filters.append(property_filter(random))
        else:
            index = random.choice([{}, {"group_type_index": aggregation}])
            filters.append(property_filter(random, "group") | index)
        if random.random() < 0.05:
            filters[-1]["negation"] = True  # read in cohorts only
    if filters or random.random() < 0.5:
        made["properties"] = filters
    rollout = random.choice(["all", "all", "null", "some", "some", "edge"])
    if rollout != "all":
        made["rollout_percentage"] = {"null": None, "some": round(random.uniform(5, 95), 2), "edge": random.choice([0, 100, 99.9, 150, -1, 0.1])}[rollout]
    if random.random() < 0.2:
        made["variant"] = random.choice([*VARIANTS, "undeclared"])
    return made


def variants(random):
    keys = random.sample(VARIANTS, random.randint(1, 4))
    shares = random.choice([[25, 25, 25, 25], [34, 33, 33, 0], [1.01, 10.02, 88.97, 0], [10, 0, 20, 5], [60, 60, 60, 60], [100, 0, 0, 0]])
    return {"variants": [{"key": key, "rollout_percentage": share} for key, share in zip(keys, shares, strict=False)]}


def flag(random, number, cohorts, flags):
    """Makes a flag. Left out: experience continuity, behind which the SDK cannot see."""
    aggregation = random.choice([None, None, None, None, 0, 1])
    filters = {}
    if aggregation is not None:
        filters["aggregation_group_type_index"] = aggregation
    # Flags that the SDK evaluates as the server does when it meets them as dependencies: it knows one subject only.
    alike = [other for other in flags if other["filters"].get("aggregation_group_type_index") == aggregation and not is_mixed(other)]
    conditions = [condition(random, aggregation, cohorts, alike) for _ in range(random.choice([0, 1, 1, 1, 2, 3, 4]))]
    # Left out: a flag about groups that has a condition about persons.
    if aggregation is None and random.random() < 0.15:
        for index in range(len(conditions)):
            if random.random() < 0.5:
                kind = random.choice([0, 1, 3])  # no type has the index 3
                conditions[index] = condition(random, kind, [], []) | {"aggregation_group_type_index": kind}
    filters["groups"] = conditions
    if random.random() < 0.5:
        filters["multivariate"] = random.choice([variants(random), variants(random), {"variants": []}, None])
        if filters["multivariate"] is None and random.random() < 0.5:
            del filters["multivariate"]
    if random.random() < 0.15:
        # Without a group the server hashes the empty text, which is held out from 92.7 percent on, and the SDK says off.
        most = 100 if aggregation is None else 90
        filters["holdout"] = {"id": random.randint(1, 99), "exclusion_percentage": random.choice([0, 10, 25.5, 50, 90, most])}
    if random.random() < 0.1:
        filters["early_exit"] = True
    # Left out: enrolment whose key is absent, always so for groups: every person has the keys of all flags that ask for one.
    if aggregation is None and random.random() < 0.08:
        filters["feature_enrollment"] = True
    filters["payloads"] = {key: f'{{"of": "{key}"}}' for key in [*VARIANTS, "true", "holdout-7"] if random.random() < 0.5}
    made = {"id": number, "key": random.choice(["flag-{}", "Flag {}", "flag.{}", "größe-{}"]).format(number), "active": random.random() < 0.95, "filters": filters}
    # Every person has a device id: without one the SDK cannot decide.
    if random.random() < 0.1:
        made["bucketing_identifier"] = random.choice(["device_id", "distinct_id"])
    return made


def is_mixed(flag):
    return any("aggregation_group_type_index" in condition for condition in flag["filters"]["groups"])


def project(random, count, rules):
    """Makes a project file whose project compares texts by these rules (1 or 2)."""
    cohorts = []
    for number in range(1, 41):
        cohorts.append({"id": number, "name": f"Cohort {number}", "filters": {"properties": cohort_tree(random, cohorts)}})
    flags = []
    for number in range(1, count + 1):
        flags.append(flag(random, number, cohorts, flags[-60:]))
    made = {"id": 1, "name": "Random", "token": TOKEN, "secret_tokens": [SECRET], "group_types": GROUP_TYPES}
    return {"projects": [made | {"property_matching_version": rules, "flags": flags, "cohorts": cohorts}]}


def properties(random):
    made = {key: random.choice(values) for key, values in VALUES.items()}
    return made | {"born": random.choice(DATES), "version": random.choice([*VERSIONS, None])}


def person(random, enrolments):
    """Makes what is asked: one person with all properties, and groups with theirs.

    Left out: empty identifiers, and group keys that are `""`, bool or null. Identifiers are below the 200 bytes of the server.
    """
    number = random.randrange(10**9)
    groups = {}
    for kind in GROUP_TYPES:
        if random.random() < 0.7:
            groups[kind] = random.choice([f"{kind} {number}", number, "acme", "größe", " "])
    return {
        "distinct_id": random.choice([f"user-{number}", f"{number}@example.com", f"ü{number}", f" {number} "]),
        "device_id": f"device-{random.randrange(10**6)}",
        "person_properties": properties(random) | {key: random.choice([True, "true", "TRUE", False, "false", 1, None]) for key in enrolments},
        "groups": groups,
        "group_properties": {kind: properties(random) for kind in groups},
    }
