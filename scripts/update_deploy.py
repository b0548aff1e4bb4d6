"""Write deploy/crds.yaml from the definitions that Drumroll's own clusters have: `python scripts/update_deploy.py`."""

from pathlib import Path

import yaml

from drumroll.domain.custom.installed import definitions
from drumroll.objects.kinds import CUSTOM_RESOURCE_DEFINITION
from drumroll.objects.meta import Obj

TARGET = Path(__file__).resolve().parents[1] / "deploy" / "crds.yaml"
OURS = ("argoproj.io", "drumroll.dev")
HEAD = "# Written by scripts/update_deploy.py. Where Argo Rollouts is installed, leave its kinds out.\n"


def crds_text() -> str:
    """The definitions of Rollouts and of our own kinds; the Gateway API's come with a gateway."""
    chosen = [plain(one) for one in definitions() if one["spec"]["group"] in OURS]
    return HEAD + yaml.dump_all(chosen, Dumper=_Plain, sort_keys=False, width=120)


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        return True


def plain(definition: Obj) -> Obj:
    """A definition without what marks it as installed by Drumroll itself."""
    kind = CUSTOM_RESOURCE_DEFINITION
    meta = {"name": definition["metadata"]["name"]}
    return {"apiVersion": kind.api_version, "kind": kind.name, "metadata": meta, "spec": definition["spec"]}


if __name__ == "__main__":
    TARGET.write_text(crds_text())
