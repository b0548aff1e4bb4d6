"""How quickly the command starts."""

import subprocess
import sys


def test_the_command_line_imports_nothing_large_before_it_knows_what_is_asked():
    code = "import sys, drumroll.cli.main as m; m.parser(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert not {"asyncio", "ssl", "aiohttp", "drumroll.client.client"} & set(done.stdout.split())
