"""Renders the Helm chart with Helm's own code and holds every object against the schemas of Kubernetes.

Objects of the Prometheus operator and of KEDA have no schema in these packages: what Burgee relies on is checked by hand.
"""

import json
import pathlib
import sys

import helm_python
import kubernetes_validate
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHART = ROOT / "deploy/helm/burgee"
VERSIONS = ["1.30", "1.33"]
NO_SCHEMA = {"ServiceMonitor", "PrometheusRule", "ScaledObject"}

# What is set, beside the defaults; each must render to what Kubernetes accepts.
CASES = {
    "defaults": {},
    "everything": {
        "image": {"repository": "registry.example.com/burgee", "digest": "sha256:" + "a" * 64},
        "imagePullSecrets": [{"name": "pull"}],
        "database": {"readKey": "read-url", "poolSize": 20},
        "publicUrl": "https://flags.example.com/ph",
        "trustedProxies": ["10.0.0.0/8", "192.168.0.0/16"],
        "project": "projects:\n  - id: 1\n    name: 'One'\n    token: phc_one\n",
        "env": {"BURGEE_RATE_LIMIT_TOKEN_PER_S": "1000"},
        "extraEnv": [{"name": "BURGEE_LOG_LEVEL", "value": "debug"}],
        "service": {"type": "LoadBalancer", "port": 80, "annotations": {"a": "b"}},
        "autoscaling": {"via": "prometheus-adapter", "waitMilliseconds": 20},
        "serviceMonitor": {"enabled": True, "labels": {"release": "monitoring"}},
        "prometheusRule": {"enabled": True},
        "dashboards": {"enabled": True},
        "networkPolicy": {
            "from": [{"namespaceSelector": {"matchLabels": {"team": "web"}}}],
            "database": {"to": [{"ipBlock": {"cidr": "10.1.2.3/32"}}], "port": 6432},
            "egress": [{"ports": [{"port": 4317}]}],
        },
        "stop": {"preStop": 3, "drain": 0},
        "podAnnotations": {"note": "x"},
        "podLabels": {"team": "flags"},
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"key": "flags", "operator": "Exists"}],
        "affinity": {"podAntiAffinity": {}},
        "priorityClassName": "high",
    },
    "keda": {"autoscaling": {"via": "keda", "cpuPercent": 0}},
    "keda with CPU": {"autoscaling": {"via": "keda"}},
    "init": {"migrations": {"mode": "init"}},
    "bare": {
        "migrations": {"mode": "none"},
        "serviceAccount": {"create": False},
        "podDisruptionBudget": {"enabled": False},
        "networkPolicy": {"enabled": False},
        "topologySpreadConstraints": [
            {"maxSkew": 2, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {}}
        ],
    },
}

# Values that the chart's schema must refuse, and the word that the complaint must hold.
WRONG = {
    "an unknown value": ({"replica": 2}, "replica"),
    "no CPU request": ({"resources": {"requests": {"cpu": None, "memory": "1Gi"}}}, "cpu"),
    "an unknown way": ({"autoscaling": {"via": "magic"}}, "via"),
    "a setting that is not Burgee's": ({"env": {"RUST_LOG": "debug"}}, "RUST_LOG"),
    "a number as a setting": ({"env": {"BURGEE_CPUS": 2}}, "BURGEE_CPUS"),
    "no server": ({"replicas": 0}, "replicas"),
}

passed = failed = 0


def check(what, is_right, detail=""):
    """Counts a check, and says which one failed."""
    global passed, failed
    if is_right:
        passed += 1
    else:
        failed += 1
        print(f"failed: {what}: {detail}")


def merged(base, extra):
    """Returns values with others laid over them, as Helm does."""
    if not (isinstance(base, dict) and isinstance(extra, dict)):
        return extra
    return {**base, **{key: merged(base.get(key), value) for key, value in extra.items()}}


def rendered(chart, values, name="flags"):
    """Returns the objects by kind and name."""
    objects = {}
    for path, text in chart.render(values=values, name=name, namespace="team").items():
        if path.endswith(".txt"):
            continue
        for document in yaml.safe_load_all(text):
            if document:
                objects[document["kind"], document["metadata"]["name"]] = document
    return objects


def only(objects, kind):
    """Returns the object of a kind, of which there may be one or none."""
    found = [item for (other, _), item in objects.items() if other == kind]
    assert len(found) < 2, (kind, found)
    return found[0] if found else None


def check_schemas(case, objects):
    """Holds every object against the schema of each version of Kubernetes."""
    for (kind, name), item in objects.items():
        if kind in NO_SCHEMA:
            continue
        for version in VERSIONS:
            try:
                kubernetes_validate.validate(item, version, strict=True)
                check("schema", True)
            except Exception as error:  # whatever is wrong is what is reported
                check(f"{case}: {kind} {name} in {version}", False, str(error)[:500])


def check_pods(case, objects, values):
    """Checks what every pod must have: no rights, and a grace that fits the stop."""
    deployment = only(objects, "Deployment")
    job = only(objects, "Job")
    pods = [item["spec"]["template"]["spec"] for item in (deployment, job) if item]
    for pod in pods:
        security = pod["securityContext"]
        check(f"{case}: user", security["runAsNonRoot"] and security["runAsUser"] == 65532)
        check(f"{case}: seccomp", security["seccompProfile"]["type"] == "RuntimeDefault")
        check(f"{case}: no token", pod["automountServiceAccountToken"] is False)
        for container in pod["containers"] + pod.get("initContainers", []):
            of = container["securityContext"]
            locked = of["readOnlyRootFilesystem"] and not of["allowPrivilegeEscalation"] and of["capabilities"]["drop"] == ["ALL"]
            check(f"{case}: {container['name']} is locked down", locked, of)
    pod = deployment["spec"]["template"]["spec"]
    container = pod["containers"][0]
    environment = {item["name"]: item for item in container["env"]}
    stop = values["stop"]
    check(f"{case}: names are set once", len(environment) == len(container["env"]))
    waits = [stop["preStop"], int(environment["BURGEE_DRAIN_DELAY_S"]["value"]), int(environment["BURGEE_SHUTDOWN_TIMEOUT_S"]["value"])]
    check(f"{case}: the grace is longer than a stop", pod["terminationGracePeriodSeconds"] > sum(waits), waits)
    slept = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    check(f"{case}: preStop", slept == stop["preStop"], slept)
    check(f"{case}: CPUs from the request", environment["BURGEE_CPUS"]["valueFrom"]["resourceFieldRef"]["resource"] == "requests.cpu")
    paths = [container[f"{probe}Probe"]["httpGet"]["path"] for probe in ("startup", "liveness", "readiness")]
    check(f"{case}: probes", paths == ["/_startup", "/livez", "/readyz"], paths)
    mode = values["migrations"]["mode"]
    check(f"{case}: one who migrates", (bool(job), "initContainers" in pod) == (mode == "job", mode == "init"))
    check(f"{case}: servers do not", ("BURGEE_NO_MIGRATE" in environment) == (mode != "init"))
    url = environment["BURGEE_DATABASE_URL"]["valueFrom"]["secretKeyRef"]
    check(f"{case}: the URL is secret", url == {"name": "burgee-database", "key": "url"}, url)
    check(f"{case}: replicas", ("replicas" in deployment["spec"]) == (values["autoscaling"]["via"] == ""))


def check_selectors(case, objects):
    """Whatever selects pods selects the deployment's, and nobody else's."""
    labels = only(objects, "Deployment")["spec"]["template"]["metadata"]["labels"]
    job = only(objects, "Job")
    others = job["spec"]["template"]["metadata"]["labels"] if job else {}
    selectors = {
        "Deployment": lambda item: item["spec"]["selector"]["matchLabels"],
        "Service": lambda item: item["spec"]["selector"],
        "PodDisruptionBudget": lambda item: item["spec"]["selector"]["matchLabels"],
        "NetworkPolicy": lambda item: item["spec"]["podSelector"]["matchLabels"],
    }
    for kind, of in selectors.items():
        item = only(objects, kind)
        if item:
            selector = of(item).items()
            check(f"{case}: {kind} selects the pods", selector <= labels.items(), selector)
            check(f"{case}: {kind} does not select the job", not selector <= others.items(), others)
    monitor = only(objects, "ServiceMonitor")
    if monitor:
        service = only(objects, "Service")
        check("monitor selects the service", monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items())
        ports = [port["name"] for port in service["spec"]["ports"]]
        check("monitor's port", monitor["spec"]["endpoints"][0]["port"] in ports)
        check("the job's name is what alerts know", service["metadata"]["labels"][monitor["spec"]["jobLabel"]] == "burgee")


def check_everything(objects):
    """Checks what the case with everything must have."""
    rules = yaml.safe_load((ROOT / "deploy/prometheus/rules/burgee.yml").read_text())
    check("the chart has the alerts", only(objects, "PrometheusRule")["spec"] == rules)
    boards = objects["ConfigMap", "flags-burgee-dashboards"]["data"]
    for name in ("mailboxes", "service"):
        there = json.loads((ROOT / f"deploy/grafana/dashboards/{name}.json").read_text())
        check(f"the chart has {name}", json.loads(boards[f"burgee-{name}.json"]) == there)
    project = yaml.safe_load(objects["ConfigMap", "flags-burgee-project"]["data"]["project.yaml"])
    check("the project is whole", project == {"projects": [{"id": 1, "name": "One", "token": "phc_one"}]}, project)
    container = only(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]
    environment = {item["name"]: item.get("value") for item in container["env"]}
    check("the image's digest", container["image"] == "registry.example.com/burgee@sha256:" + "a" * 64)
    check("proxies", environment["BURGEE_TRUSTED_PROXIES"] == "10.0.0.0/8,192.168.0.0/16")
    check("further settings", environment["BURGEE_RATE_LIMIT_TOKEN_PER_S"] == "1000")
    scaler = only(objects, "HorizontalPodAutoscaler")["spec"]
    check("scaled by the wait", scaler["metrics"][0]["pods"]["target"]["averageValue"] == "20m", scaler)
    policy = only(objects, "NetworkPolicy")["spec"]
    check("the database's port", policy["egress"][1]["ports"][0]["port"] == 6432)


def check_keda(chart):
    """Checks KEDA's object, which asks for metrics that exist."""
    for case, triggers in (("keda", 1), ("keda with CPU", 2)):
        spec = only(rendered(chart, CASES[case]), "ScaledObject")["spec"]
        check(f"{case}: triggers", len(spec["triggers"]) == triggers)
        check(f"{case}: its target", spec["scaleTargetRef"]["name"] == "flags-burgee")
        asked = spec["triggers"][0]["metadata"]
        check(f"{case}: seconds", float(asked["threshold"]) == 0.005, asked["threshold"])
        check(f"{case}: its pods", asked["query"].count('{namespace="team", pod=~"flags-burgee-.+"}') == 2, asked["query"])
        # Read by the test, which knows the metrics that exist.
        print("query:", " ".join(asked["query"].split()))


def main():
    """Runs every check."""
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())
    with helm_python.Chart.load(CHART) as chart:
        for case, values in CASES.items():
            report = helm_python.lint(CHART, values=values, strict=True, namespace="team", kube_version="v1.30.0")
            check(f"{case}: lint", not report["errors"], report)
            objects = rendered(chart, values)
            check_schemas(case, objects)
            check_pods(case, objects, merged(defaults, values))
            check_selectors(case, objects)
            if case == "everything":
                check_everything(objects)
        check_keda(chart)
        for what, (values, word) in WRONG.items():
            try:
                chart.validate_schema(values)
                check(f"{what} is refused", False)
            except helm_python.HelmError as error:
                check(f"{what} is refused by name", word in str(error), str(error))
        longest = rendered(chart, {}, name="x" * 53)
        check("names stay short", all(len(name) <= 63 for _, name in longest), list(longest))
    print(f"{passed} checks passed, {failed} failed")
    return failed


sys.exit(1 if main() else 0)
