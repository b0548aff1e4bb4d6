"""`python -m drumroll.load --plan plan.json --out ledger.jsonl`: a load in a process of its own.

Lines of JSON on standard output tell how it goes; SIGTERM or SIGINT ends it early. Exit status 0 when the ledger is
written, whatever is in it.
"""

import argparse
import asyncio
import gc
import signal
import sys
from dataclasses import asdict
from pathlib import Path

import orjson

from drumroll.load.ledger import write_lines
from drumroll.load.plan import LoadPlan, read_plan
from drumroll.load.run import Progress, run_load


def _print(progress: Progress) -> None:
    sys.stdout.buffer.write(orjson.dumps(asdict(progress)) + b"\n")
    sys.stdout.buffer.flush()


async def _run(plan: LoadPlan, out: Path) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)  # a collection in the middle would be booked as the server's latency
    ledger = await run_load(plan, stop, _print)
    partial = out.with_suffix(".partial")
    with partial.open("wb") as file:
        file.writelines(write_lines(ledger))
    partial.replace(out)


def main(arguments: list[str] | None = None) -> int:
    """Run the plan that the arguments name; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m drumroll.load", description="Send a constant load, book every answer."
    )
    parser.add_argument("--plan", type=Path, required=True, help="the plan, as JSON")
    parser.add_argument("--out", type=Path, required=True, help="where to write the ledger, as JSON lines")
    options = parser.parse_args(arguments)
    try:
        plan = read_plan(options.plan)
    except (OSError, ValueError, TypeError, KeyError) as error:
        sys.stderr.write(f"cannot read the plan {options.plan}: {error}\n")
        return 2
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(plan, options.out))
    return 0


if __name__ == "__main__":
    sys.exit(main())
