"""What a pod can and cannot reach: it knows the API, may do what its roles say, and learns nothing else."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drumroll.objects.wire import MERGE_PATCH
from tests.e2e.cluster import Cluster
from tests.e2e.conftest import container_refusal

FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount"
SECRET = "hush-hush-4711"
SLEEPER = 'FROM host\nENTRYPOINT ["/bin/sleep", "100000"]\n'
CURL = (
    f'curl -s -m 10 --cacert {FOLDER}/ca.crt -H "Authorization: Bearer $(cat {FOLDER}/token)" '
    "-o /tmp/answer -w '%{http_code}' "
)


class Inside:
    """Types in a pod's shell."""

    def __init__(self, cluster: Cluster, pod: str) -> None:
        self.cluster, self.pod = cluster, pod

    def says(self, command: str) -> str:
        return self.cluster.kubectl("exec", self.pod, "--", "sh", "-c", f"{command} 2>&1; true")

    def asks(self, path: str, more: str = "") -> int:
        """The status of a request to the API with the pod's own token."""
        return int(self.says(f"{CURL} {more} 'https://kubernetes.default.svc{path}'")[-3:])


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if why := container_refusal():
        pytest.skip(f"pods that see nothing need container isolation: {why}")
    made = Cluster(tmp_path_factory.mktemp("security") / "home", "container")
    context = made.home.parent / "image"
    context.mkdir()
    (context / "Dockerfile").write_text(SLEEPER)
    try:
        made.drumroll("image", "build", str(context), "-t", "sleeper:1")
        made.up("--audit-log")
        made.kubectl("create", "secret", "generic", "theirs", "-n", "kube-system", f"--from-literal=password={SECRET}")
        made.kubectl("create", "secret", "generic", "ours", f"--from-literal=password={SECRET}")
        yield made
    finally:
        made.down()


@pytest.fixture(scope="module")
def new_pod(cluster: Cluster) -> Callable[..., Inside]:
    def make(name: str, **spec: object) -> Inside:
        containers = [{"name": "c", "image": "sleeper:1"}]
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name},
            "spec": {"containers": containers, "terminationGracePeriodSeconds": 0, **spec},
        }
        cluster.until(lambda: cluster.try_kubectl("get", "sa", "default").returncode == 0, "a default account")
        cluster.kubectl("apply", "-f", "-", stdin=json.dumps(body))
        cluster.kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=60s")
        return Inside(cluster, name)

    return make


@pytest.mark.e2e
@pytest.mark.container
def test_a_pod_asks_the_api_and_may_do_what_its_role_says(cluster: Cluster, new_pod: Callable[..., Inside]) -> None:
    cluster.kubectl("create", "serviceaccount", "reader")
    cluster.kubectl("create", "role", "reader", "--verb=get,list", "--resource=pods")
    cluster.kubectl("create", "rolebinding", "reader", "--role=reader", "--serviceaccount=default:reader")
    pod = new_pod("reader", serviceAccountName="reader")
    assert pod.asks("/api/v1/namespaces/default/pods") == 200
    assert '"name":"reader"' in pod.says("cat /tmp/answer")
    assert pod.asks("/api") == 200
    for path, more in [
        ("/api/v1/namespaces/default/secrets", ""),
        ("/api/v1/namespaces/default/secrets/ours", ""),
        ("/api/v1/namespaces/default/secrets?watch=true", ""),
        ("/api/v1/namespaces/kube-system/secrets/theirs", ""),
        ("/api/v1/secrets", ""),
        ("/api/v1/namespaces/default/pods/reader", "-X DELETE"),
        ("/api/v1/namespaces/default/pods/reader/log", ""),
        ("/api/v1/namespaces/default/pods/reader/exec?command=id&stdout=true", "-X POST"),
        ("/api/v1/namespaces/kube-system/secrets/theirs", f"-X PATCH -d '{{}}' -H 'Content-Type: {MERGE_PATCH}'"),
        ("/api/v1/namespaces/default/serviceaccounts/default/token", "-X POST -d '{}'"),
        ("/metrics", ""),
        ("/api/v1/nodes", "-H 'Impersonate-User: admin' -H 'Impersonate-Group: system:masters'"),
    ]:  # fmt: skip
        assert pod.asks(path, more) == 403, path
        assert SECRET not in pod.says("cat /tmp/answer")
    assert cluster.kubectl("auth", "can-i", "list", "pods", "--as=system:serviceaccount:default:reader") == "yes\n"


@pytest.mark.e2e
@pytest.mark.container
def test_a_token_is_worth_nothing_once_its_pod_is_gone(cluster: Cluster, new_pod: Callable[..., Inside]) -> None:
    gone = new_pod("gone")
    token = gone.says(f"cat {FOLDER}/token")
    other = new_pod("other")
    bearer = f"-H 'Authorization: Bearer {token}'"
    ask = f"curl -s -k -m 10 -o /dev/null -w '%{{http_code}}' {bearer} https://kubernetes.default.svc/api"
    assert other.says(ask) == "200"
    cluster.kubectl("delete", "pod", "gone", "--now")
    assert other.says(ask) == "401"


@pytest.mark.e2e
@pytest.mark.container
def test_a_pod_that_mounts_nothing_learns_nothing(cluster: Cluster, new_pod: Callable[..., Inside]) -> None:
    pod = new_pod("blind", automountServiceAccountToken=False)
    assert "No such file" in pod.says(f"ls {FOLDER}")
    assert pod.says("curl -s -k -m 10 -o /tmp/a -w '%{http_code}' https://kubernetes.default.svc/api") == "403"
    assert pod.says("curl -s -k -m 10 https://kubernetes.default.svc/healthz") == "ok"
    run = run_folder(cluster.home)
    for place in (cluster.home, cluster.home / "pki" / "ca.key", cluster.home / "store" / "state.db", run):
        assert place.exists(), place
        assert "No such file" in pod.says(f"ls -d {place}"), place
    assert "No such file" in pod.says("ls -d /run/netns")
    processes = pod.says("cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    assert "sleep" in processes
    assert not any(name in processes for name in ("envoy", "drumroll", "conmon"))
    assert "not permitted" in pod.says("mknod /tmp/disk b 8 0; head -c 1 /tmp/disk")
    assert "denied" in pod.says("mount -t proc proc /mnt") + pod.says("mount -t tmpfs t /mnt")
    found = pod.says("grep -rl 'hush-hush-471[1]' /etc /root /tmp /var /run /home")
    assert "/" not in "".join(line for line in found.splitlines() if not line.startswith("grep:")), found


@pytest.mark.e2e
@pytest.mark.container
def test_secrets_are_in_no_log_and_in_no_event(cluster: Cluster, new_pod: Callable[..., Inside]) -> None:
    reference = {"secretRef": {"name": "ours"}}
    pod = new_pod("user", containers=[{"name": "c", "image": "sleeper:1", "envFrom": [reference]}])
    assert pod.says("printenv password").strip() == SECRET
    cluster.kubectl("patch", "secret", "ours", "-p", json.dumps({"stringData": {"more": SECRET}}))
    cluster.kubectl("get", "secret", "ours", "-o", "yaml")
    assert SECRET not in cluster.kubectl("get", "events", "-A", "-o", "yaml")
    logs = cluster.home / "logs"
    audit = wait_for_line(logs / "audit.log", '"name":"ours"')
    assert "audit.k8s.io/v1" in audit
    for file in logs.rglob("*"):
        if file.is_file():
            assert SECRET.encode() not in file.read_bytes(), file


def run_folder(home: Path) -> Path:
    from drumroll.assembly.home import Home

    return Home(home).run


def wait_for_line(file: Path, part: str) -> str:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        for line in file.read_text().splitlines() if file.exists() else ():
            if part in line:
                return line
        time.sleep(0.05)
    raise AssertionError(f"{file} never had a line with {part}")
