"""How quickly the command starts."""

import subprocess
import sys


def test_the_command_line_imports_nothing_large_before_it_knows_what_is_asked():
    code = "import sys, drumroll.cli.main as m; m.parser(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert not {"asyncio", "ssl", "aiohttp", "drumroll.client.client"} & set(done.stdout.split())


def test_what_every_start_checks_is_checked_without_loading_re2():
    code = """
import sys
from drumroll.domain.custom.installed.gateway_common import CONTROLLER
from drumroll.domain.custom.installed.shapes import CONDITION
from drumroll.domain.custom.values import validate_value

assert not list(validate_value("drumroll.dev/gateway", CONTROLLER))
assert not list(validate_value("Accepted", CONDITION["properties"]["type"]))
print(*sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert "cel_expr_python" not in done.stdout.split()
