"""What fails once is run once more and named; what fails again, or could not be run at all, fails the whole."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
GOOD = "def test_good():\n    assert True\n"
FLAKY = """
from pathlib import Path

def test_flaky():
    before = Path("ran").exists()
    Path("ran").touch()
    assert before
"""
BAD = "def test_bad():\n    assert False\n"


def run_tests(folder: Path, *options: str, **files: str) -> tuple[int, str]:
    """The exit code and what is printed when a folder's tests run. files: name -> text."""
    (folder / "pytest.ini").write_text("[pytest]\n")
    for name, text in files.items():
        (folder / f"test_{name}.py").write_text(text)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    ours = {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": "-p xdist -p pytest_randomly"}
    command = [sys.executable, "-m", "tools.run_tests", *(options or ("-n", "0"))]
    done = subprocess.run(command, cwd=folder, env=kept | ours, capture_output=True, text=True, timeout=240)
    return done.returncode, done.stdout + done.stderr


def test_when_all_pass_there_is_one_run(tmp_path: Path) -> None:
    code, printed = run_tests(tmp_path, good=GOOD)
    assert (code, printed.count("test session starts")) == (0, 1)


def test_what_passes_in_a_second_run_is_named(tmp_path: Path) -> None:
    code, printed = run_tests(tmp_path, good=GOOD, flaky=FLAKY)
    assert (code, printed.count("test session starts")) == (0, 2)
    assert "collected 1 item\n" in printed
    assert printed.endswith("Passed only in the second run; please mend them:\n  test_flaky.py::test_flaky\n")


def test_what_fails_twice_fails(tmp_path: Path) -> None:
    code, printed = run_tests(tmp_path, bad=BAD, flaky=FLAKY)
    assert (code, printed.count("test session starts")) == (1, 2)
    assert printed.endswith("Not passed in the second run either:\n  test_bad.py::test_bad\n")


def test_what_is_skipped_in_the_second_run_has_not_passed(tmp_path: Path) -> None:
    code, printed = run_tests(tmp_path, flaky=FLAKY.replace("assert before", "if before: __import__('pytest').skip()\n    assert before"))
    assert code == 1
    assert printed.endswith("Not passed in the second run either:\n  test_flaky.py::test_flaky\n")


def test_what_fails_after_the_test_counts_as_failed(tmp_path: Path) -> None:
    broken = "import pytest\n\n@pytest.fixture\ndef left():\n    yield\n    assert False\n\ndef test_left(left):\n    assert True\n"
    code, printed = run_tests(tmp_path, left=broken)
    assert code == 1
    assert printed.endswith("Not passed in the second run either:\n  test_left.py::test_left\n")


def test_many_that_fail_have_no_second_run(tmp_path: Path) -> None:
    many = "import pytest\n\n@pytest.mark.parametrize('number', range(6))\ndef test_bad(number):\n    assert False\n"
    code, printed = run_tests(tmp_path, many=many)
    assert (code, printed.count("test session starts")) == (1, 1)
    assert "No second run: 6 tests failed" in printed


def test_a_file_that_cannot_be_read_has_no_second_run(tmp_path: Path) -> None:
    code, printed = run_tests(tmp_path, flaky=FLAKY, unreadable="import there_is_no_such_module\n")
    assert (code, printed.count("test session starts")) == (2, 1)
    assert "No second run: could not be collected: test_unreadable.py." in printed


def test_a_worker_that_dies_has_no_second_run(tmp_path: Path) -> None:
    deadly = FLAKY.replace("assert before", "before or __import__('os')._exit(3)")
    code, printed = run_tests(tmp_path, "-n", "1", deadly=deadly)
    assert (code, printed.count("test session starts")) == (1, 1)
    assert "No second run: a worker died." in printed


def test_ctrl_c_ends_it(tmp_path: Path) -> None:
    stopped = FLAKY + "\ndef test_stopped():\n    raise KeyboardInterrupt\n"
    code, printed = run_tests(tmp_path, "-n", "0", "--randomly-dont-reorganize", stopped=stopped)
    assert (code, printed.count("test session starts")) == (2, 1)


def test_words_that_pytest_does_not_know_are_refused(tmp_path: Path) -> None:
    assert run_tests(tmp_path, "--no-such-option", good=GOOD)[0] == 4
    assert run_tests(tmp_path, "-n", "0", "-k", "nothing", good=GOOD)[0] == 5


def test_folders_with_fixtures_of_their_own_run_again_too(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "conftest.py").write_text("")
        (tmp_path / name / f"test_{name}.py").write_text(FLAKY.replace('"ran"', f'"ran_{name}"'))
    code, printed = run_tests(tmp_path, "-n", "2")
    assert (code, printed.count("test session starts")) == (0, 2), printed
    assert "INTERNALERROR" not in printed
