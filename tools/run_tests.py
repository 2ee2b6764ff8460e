"""Run the tests; what fails runs once more, alone: python -m tools.run_tests OPTIONS-OF-PYTEST (no paths).

A test that fails by chance on a busy machine costs no second run of everything, and is named, so that somebody mends it. There is no
second run when many failed, a file could not be collected or a worker died. The exit code is pytest's: 0 only when every test passed.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest

AGAIN_AT_MOST = 5
"""So many tests may fail by chance; more are no chance."""


@dataclass(eq=False)
class Outcome:
    """What happened in one run of pytest, which it watches as a plugin."""

    code: int = 0
    passed: set[str] = field(default_factory=set)
    failed: dict[str, None] = field(default_factory=dict)
    uncollected: dict[str, None] = field(default_factory=dict)
    died: list[str] = field(default_factory=list)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed[report.nodeid] = None
        elif report.passed and report.when == "call":
            self.passed.add(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.uncollected[report.nodeid] = None

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: object, error: object | None) -> None:
        if error:
            self.died.append(f"{node}: {error}")

    @property
    def why_final(self) -> str:
        """Why there is no second run of what failed; "" when there may be one."""
        if self.died:
            return "a worker died"
        if self.uncollected:
            return f"could not be collected: {', '.join(self.uncollected)}"
        if len(self.failed) > AGAIN_AT_MOST:
            return f"{len(self.failed)} tests failed, which is no chance (at most {AGAIN_AT_MOST} run again)"
        return ""


def run(arguments: list[str]) -> Outcome:
    outcome = Outcome()
    outcome.code = int(pytest.main(arguments, plugins=[outcome]))
    return outcome


def main(arguments: list[str]) -> int:
    """Both runs draw the same random numbers."""
    arguments = [*arguments, f"--randomly-seed={random.getrandbits(32)}"]
    first = run(arguments)
    if first.why_final:
        say(f"No second run: {first.why_final}.")
        return first.code or 1
    if first.code != pytest.ExitCode.TESTS_FAILED or not first.failed:
        return first.code
    say("These failed and run once more, alone, one after the other:", first.failed)
    second = run([*arguments, "-n", "0", *first.failed])
    again = [test for test in first.failed if test not in second.passed or test in second.failed]
    if again:
        say("Not passed in the second run either:", again)
        return second.code or 1
    say("Passed only in the second run; please mend them:", first.failed)
    return second.code


def say(words: str, tests: Iterable[str] = ()) -> None:
    print("", words, *(f"  {test}" for test in tests), sep="\n", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
