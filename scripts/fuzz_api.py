"""Fuzz the API server with Schemathesis against the OpenAPI that it publishes; exit 1 when something was found.

A finding is a status of 5xx that the original would not answer, an answer whose content type is not the published one,
a traceback in the log, and a control plane that keeps growing. The published schemas are narrowed to one namespace and
two names first: else nearly every request ends at "not found", before validation, patches and the store.
Schemathesis is none of our dependencies: it is found on the PATH, or where `--schemathesis` says.
"""

import argparse
import json
import shutil
import ssl
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections import Counter
from http import HTTPStatus
from pathlib import Path
from typing import Any

# the cluster is the tests' own
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.apiserver.test_gitops import LABELS, MANIFESTS, TEMPLATE
from tests.apiserver.test_patch_fuzz import FAULTS_OF_THE_ORIGINAL
from tests.e2e.cluster import Cluster

# What the original answers with 500 besides.
THE_ORIGINALS = (
    *FAULTS_OF_THE_ORIGINAL,
    "failed to create typed patch object",
    "resourceVersion should not be set on objects to be created",
)
MISSING = (
    "Schemathesis is not installed. Install it into an environment of its own (python -m venv fuzz; "
    "fuzz/bin/pip install schemathesis) and say where it is: --schemathesis fuzz/bin/schemathesis"
)
NAMES = ("fuzz-a", "fuzz-b")
GROWTH = 40  # MiB above what the control plane had when the fuzzing began; objects are few, so none may stay behind
KNOWN: dict[str, dict[str, Any]] = {
    **MANIFESTS,
    "Pod": {"spec": TEMPLATE["spec"]},
    "PodTemplate": {"template": TEMPLATE},
    "ReplicaSet": MANIFESTS["Deployment"],
    "ReplicationController": {"spec": {"replicas": 1, "selector": LABELS, "template": TEMPLATE}},
    "ControllerRevision": {"revision": 1, "data": {"a": "b"}},
    "Endpoints": {"subsets": [{"addresses": [{"ip": "10.0.0.9"}], "ports": [{"port": 80}]}]},
    "EndpointSlice": {"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.9"]}], "ports": [{"port": 80}]},
    "Event": {"involvedObject": {"namespace": "default"}, "regarding": {"namespace": "default"}, "action": "a",
              "reason": "r", "type": "Normal", "eventTime": "2026-01-01T00:00:00.000000Z",
              "reportingController": "a.b/c", "reportingComponent": "a.b/c", "reportingInstance": "i"},
    "Lease": {"spec": {"holderIdentity": "a", "leaseDurationSeconds": 5}},
    "PersistentVolume": {"spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"],
                                  "hostPath": {"path": "/tmp/none"}}},
    "ClusterRoleBinding": {**MANIFESTS["RoleBinding"],
                           "subjects": [{"kind": "User", "name": "a", "apiGroup": "rbac.authorization.k8s.io"}],
                           "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "a"}},
    "RuntimeClass": {"handler": "runc"},
    "CustomResourceDefinition": {
        "metadata": {"name": "fuzzes.a.b"},
        "spec": {"group": "a.b", "scope": "Namespaced", "names": {"plural": "fuzzes", "kind": "Fuzz"},
                 "versions": [{"name": "v1", "served": True, "storage": True,
                               "schema": {"openAPIV3Schema": {"type": "object"}}}]},
    },
    "GatewayClass": {"spec": {"controllerName": "a.b/c"}},
    "Gateway": {"spec": {"gatewayClassName": "a", "listeners": [{"name": "a", "port": 80, "protocol": "HTTP"}]}},
    "HTTPRoute": {"spec": {"rules": [{"backendRefs": [{"name": "web", "port": 80}]}]}},
    "Rollout": {"spec": {"selector": {"matchLabels": LABELS}, "template": TEMPLATE, "strategy": {"canary": {}}}},
    "Experiment": {"spec": {"templates": [{"name": "a", "selector": {"matchLabels": LABELS}, "template": TEMPLATE}]}},
    **{name: {"spec": {"metrics": [{"name": "a", "provider": {"web": {"url": "http://a", "jsonPath": "{$.a}"}}}]}}
       for name in ("AnalysisRun", "AnalysisTemplate", "ClusterAnalysisTemplate")},
    "ABTest": {"spec": {
        "routeRef": {"name": "a"}, "control": {"service": "a"}, "treatment": {"service": "b"}, "percent": 50,
        "goal": {"name": "a", "minimumEffect": 0.1, "provider": {"log": {"user": "u", "value": "v"}}}}},
    "Comparison": {"spec": {"routeRef": {"name": "a"}, "primary": {"service": "a"}, "shadow": {"service": "b"},
                            "compare": {"headers": ["content-type"], "ignore": ["pod"]}}},
    "CSIDriver": {"spec": {}},
    "CSINode": {"spec": {"drivers": []}},
    "VolumeAttachment": {"spec": {"attacher": "a.b", "nodeName": "n", "source": {"persistentVolumeName": "v"}}},
}  # fmt: skip
"""What an object of each kind has besides its metadata."""
GVK = "x-kubernetes-group-version-kind"


def narrowed(document: dict[str, Any]) -> dict[str, Any]:
    """The same document with one namespace, few names, real kinds and no watches; merge patches look like objects."""
    meta = document["components"]["schemas"]["io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"]
    del meta["properties"]["resourceVersion"]  # nearly every write would end there
    for schema in document["components"]["schemas"].values():
        if "properties" in schema:
            schema["additionalProperties"] = False
    meta["properties"].update(name={"enum": list(NAMES)}, namespace={"enum": ["default"]})
    for path in document["paths"].values():
        for parameter in path["parameters"]:
            parameter["schema"]["enum"] = ["default"] if parameter["name"] == "namespace" else list(NAMES)
        for operation in (path[method] for method in ("get", "post", "put", "patch", "delete") if method in path):
            operation["parameters"] = [one for one in operation["parameters"] if one["name"] != "watch"]
            if "requestBody" in operation:
                _narrow_body(operation)
        if "delete" in path:  # what the others fuzz stays
            path["delete"]["parameters"].append(_named(NAMES[1]))
    return document


def _named(name: str) -> dict[str, Any]:
    return {"name": "name", "in": "path", "required": True, "schema": {"enum": [name]}}


def _narrow_body(operation: dict[str, Any]) -> None:
    kind = operation[GVK]
    version = f"{kind['group']}/{kind['version']}" if kind["group"] else kind["version"]
    exact = {
        "type": "object",
        "required": ["apiVersion", "kind", "metadata"],
        "properties": {
            "apiVersion": {"enum": [version]},
            "kind": {"enum": [kind["kind"]]},
            "metadata": {"type": "object", "required": ["name"]},
        },
    }
    of_kind = operation["responses"]["200"]["content"]["application/json"]["schema"]
    for content_type, body in operation["requestBody"]["content"].items():
        body["schema"] = _operations() if "json-patch" in content_type else {"allOf": [of_kind, exact]}


def _operations() -> dict[str, Any]:
    pointers = ["/metadata/labels", "/metadata/labels/a", "/metadata", "/spec", "/data/a", "/spec/replicas", "/-", ""]
    one = {
        "type": "object",
        "required": ["op", "path"],
        "properties": {
            "op": {"enum": ["add", "remove", "replace", "move", "copy", "test"]},
            "path": {"enum": pointers},
            "from": {"enum": pointers},
            "value": {},
        },
    }
    return {"type": "array", "items": one, "maxItems": 5}


class Api:
    """The API server as its administrator speaks to it."""

    def __init__(self, home: Path, address: str) -> None:
        self.address, self.pki = address, home / "pki"
        self._context = ssl.create_default_context(cafile=str(self.pki / "ca.crt"))
        self._context.load_cert_chain(self.pki / "admin.crt", self.pki / "admin.key")

    def document(self, group: str) -> dict[str, Any]:
        """The OpenAPI document of a group as the server publishes it."""
        return self._asked(f"/openapi/v3/{group}")

    def seed(self, document: dict[str, Any]) -> list[str]:
        """Create one object of each kind, so that there is something to patch; the kinds that could not be created."""
        paths = document["paths"].items()
        kinds = {path: operations["post"][GVK] for path, operations in paths if "post" in operations}
        return [kind["kind"] for path, kind in kinds.items() if "{name}" not in path and not self._created(path, kind)]

    def _created(self, path: str, kind: dict[str, str]) -> bool:
        meta = {"name": NAMES[0], "namespace": "default"} if "{namespace}" in path else {"name": NAMES[0]}
        version = f"{kind['group']}/{kind['version']}" if kind["group"] else kind["version"]
        head = {"apiVersion": version, "kind": kind["kind"], "metadata": {**meta, "labels": LABELS}}
        body = {**head, **KNOWN.get(kind["kind"], {})}
        try:
            self._asked(path.replace("{namespace}", "default"), json.dumps(body).encode())
        except urllib.error.HTTPError as error:
            if error.code != HTTPStatus.CONFLICT:
                print(f"{kind['kind']}: {error.read().decode()[:300]}", flush=True)
            return error.code == HTTPStatus.CONFLICT
        return True

    def groups(self) -> list[str]:
        """The documents of all groups that have objects."""
        return [one for one in self._asked("/openapi/v3")["paths"] if one.count("/") == 2 or one == "api/v1"]

    def _asked(self, path: str, body: bytes | None = None) -> dict[str, Any]:
        request = urllib.request.Request(self.address + path, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, context=self._context, timeout=30) as answer:
            decoded: dict[str, Any] = json.load(answer)
        return decoded


def fuzz(api: Api, document: str, folder: Path, options: argparse.Namespace) -> tuple[Counter[str], list[str]]:
    """How often each status was answered, and what was found."""
    base = folder / document.replace("/", "_")
    schema, record, report = (base.with_suffix(f".{suffix}") for suffix in ("schema.json", "har", "report.json"))
    published = api.document(document)
    if refused := api.seed(published):
        print(f"{document}: not seeded: {', '.join(refused)}", flush=True)
    schema.write_text(json.dumps(narrowed(published)))
    record.unlink(missing_ok=True)
    report.unlink(missing_ok=True)
    command = [
        options.schemathesis, "run", str(schema), "--url", api.address, "--no-color", "--no-shrink",
        "--tls-verify", str(api.pki / "ca.crt"), "--request-cert", str(api.pki / "admin.crt"),
        "--request-cert-key", str(api.pki / "admin.key"), "--request-timeout", "30",
        "--checks", "not_a_server_error,content_type_conformance", "--phases", "fuzzing", "--continue-on-failure",
        "--max-examples", str(options.examples), "--suppress-health-check", "all", "--generation-database", "none",
        "--report", "har,json", "--report-har-path", str(record), "--report-json-path", str(report),
        *(["--seed", str(options.seed)] if options.seed is not None else []),
    ]  # fmt: skip
    said = subprocess.run(command, capture_output=True, text=True, check=False, cwd=base.parent).stdout
    if not report.exists() or not record.exists():
        return Counter(), [f"{document}: Schemathesis did not finish:\n{said[-2000:]}"]
    outcome = json.loads(report.read_text())
    found = [
        f"{document}: {one['title']}: {one['operations']}" for one in outcome["failures"] if one["code"] != "ST101"
    ]
    found += [f"{document}: {one}" for one in outcome["errors"]]
    print(f"{document}: seed {outcome['seed']}, {outcome['running_time']:.0f} s", flush=True)
    return _judged(json.loads(record.read_text())["log"]["entries"], found)


def _judged(entries: list[dict[str, Any]], found: list[str]) -> tuple[Counter[str], list[str]]:
    codes: Counter[str] = Counter()
    for entry in entries:
        request, response = entry["request"], entry["response"]
        codes[str(response["status"])] += 1
        text = response["content"].get("text", "")
        if response["status"] >= 500 and not any(words in text for words in THE_ORIGINALS):
            body = request.get("postData", {}).get("text", "")
            found.append(f"{response['status']} {request['method']} {request['url']}\n  {body[:500]}\n  {text[:500]}")
        elif response["status"] < 100:
            found.append(f"no answer: {request['method']} {request['url']}")
    return codes, found


def resident(pid: int) -> float:
    """Resident memory of a process in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS:")).split()[1]) / 1024


def run(cluster: Cluster, options: argparse.Namespace) -> list[str]:
    """All that was found, in words; prints a line about each document."""
    cluster.up("--parts", "apiserver")
    part = json.loads((cluster.home / "parts" / "apiserver.json").read_text())
    api = Api(cluster.home, part["address"])
    found: list[str] = []
    before = after = resident(part["pid"])
    for document in api.groups() if options.documents == ["all"] else options.documents:
        codes, more = fuzz(api, document, cluster.home.parent, options)
        found += more
        try:
            after = resident(part["pid"])
        except FileNotFoundError:
            return [*found, f"the control plane died:\n{cluster.log_tail()}"]
        answers = dict(sorted(codes.items()))
        print(f"{document}: {codes.total()} requests, {answers}, {before:.0f} -> {after:.0f} MiB", flush=True)
    if after - before > options.growth:
        found.append(f"the control plane grew by {after - before:.0f} MiB")
    log = (cluster.home / "logs" / "control-plane.log").read_text(errors="replace")
    if "Traceback" in log or "request_failed" in log:
        at = min(place for place in (log.find("request_failed"), log.find("Traceback")) if place >= 0)
        found.append(f"a traceback in the log:\n{log[at : at + 4000]}")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--schemathesis", default=shutil.which("schemathesis"), help="its command (default: PATH)")
    parser.add_argument("--examples", type=int, default=20, help="requests per operation (default 20)")
    parser.add_argument("--seed", type=int, help="repeat a run")
    parser.add_argument("--growth", type=float, default=GROWTH, help=f"MiB that are no finding (default {GROWTH})")
    parser.add_argument(
        "documents", nargs="*", default=["apis/apps/v1", "api/v1"], help="such as apis/apps/v1, or `all`"
    )
    options = parser.parse_args()
    if options.schemathesis is None or shutil.which(options.schemathesis) is None:
        print(MISSING, file=sys.stderr)
        return 2
    options.schemathesis = str(Path(shutil.which(options.schemathesis) or options.schemathesis).absolute())
    with tempfile.TemporaryDirectory(prefix="drumroll-fuzz-") as folder:
        cluster = Cluster(Path(folder) / "home", "loopback")
        try:
            found = run(cluster, options)
        finally:
            cluster.down()
    print("\n".join(found) or "nothing found", flush=True)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
