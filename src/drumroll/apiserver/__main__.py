"""The API server alone, for tests: `python -m drumroll.apiserver --folder DIR --port N`."""

import argparse
import asyncio
import base64
import os
import sys
from pathlib import Path

from drumroll.apiserver.certificates import Certificates, ensure_certificates
from drumroll.apiserver.serve import bind, serve
from drumroll.apiserver.server import ApiServer
from drumroll.objects.clock import now
from drumroll.objects.network import CONTAINER_SERVICES
from drumroll.store.sqlite import SqliteStore


def main() -> int:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description="The API server alone, for tests.")
    parser.add_argument("--folder", type=Path, required=True, help="where state, certificates and kubeconfig go")
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; 0 picks a free one")
    parser.add_argument("--installed", action="store_true", help="with the definitions of progressive delivery")
    arguments = parser.parse_args()
    import uvloop

    sys.setswitchinterval(0.0005)
    try:
        uvloop.run(_run(arguments.folder, arguments.port, installs=arguments.installed))
    except KeyboardInterrupt:
        return 130
    return 0


async def _run(folder: Path, port: int, *, installs: bool) -> None:
    sock = bind("127.0.0.1", port)
    address = f"127.0.0.1:{sock.getsockname()[1]}"
    certificates = ensure_certificates(folder / "pki", hosts=("127.0.0.1", "localhost", "kubernetes"))
    store = SqliteStore.open(folder / "store" / "state.db")
    api = ApiServer(store, service_cidr=CONTAINER_SERVICES, now=now, address=address, installs=installs)
    await api.prepare()
    kubeconfig = folder / "kubeconfig"
    _write_kubeconfig(kubeconfig, address, certificates)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(api.run())
            group.create_task(
                serve(api, sock, certificates, ready=lambda: _say(f"ready https://{address} {kubeconfig}"))
            )
    finally:
        await store.close()


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _write_kubeconfig(path: Path, address: str, certificates: Certificates) -> None:
    def inline(file: Path) -> str:
        return base64.b64encode(file.read_bytes()).decode()

    text = f"""apiVersion: v1
kind: Config
current-context: drumroll
contexts:
- name: drumroll
  context: {{cluster: drumroll, user: drumroll}}
clusters:
- name: drumroll
  cluster: {{server: "https://{address}", certificate-authority-data: {inline(certificates.authority)}}}
users:
- name: drumroll
  user:
    client-certificate-data: {inline(certificates.admin)}
    client-key-data: {inline(certificates.admin_key)}
"""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)


if __name__ == "__main__":
    sys.exit(main())
