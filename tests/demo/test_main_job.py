"""The main job on a real cluster, in both isolations: update and undo under load, and nothing lost."""

import re
import sys

import pytest

from tests.commands import run
from tests.e2e.conftest import container_refusal

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.mark.parametrize("isolation", ["loopback", pytest.param("container", marks=pytest.mark.container)])
def test_the_demo_loses_no_request(tmp_path, isolation):
    if isolation == "container" and (why := container_refusal()):
        pytest.skip(why)
    arguments = ["demo", "--home", str(tmp_path / "home"), "--isolation", isolation, "--rate", "150"]
    command = [sys.executable, "-m", "drumroll.cli.main", *arguments]
    done = run(command, timeout=240, check=False, environment={"PYTHONUTF8": "1"})
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"No request was lost: [\d,]+ sent, 0 failed\.", done.stdout)
    answered = re.search(r"answered .*: ([\d,]+) by 0\.0\.1, ([\d,]+) by 0\.0\.2", done.stdout)
    assert answered is not None, done.stdout
    assert all(int(count.replace(",", "")) > 100 for count in answered.groups())
    assert "available   never below 3 pods" in done.stdout
