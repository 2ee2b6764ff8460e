"""A server that is told to stop does so, at whatever moment it is told."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import os, signal, subprocess, sys, threading
from kohort.cli.serve import set_on_signals
event = threading.Event()
set_on_signals(event, signal.SIGUSR1)
many = f"import os, signal, time\\nfor _ in range(2000):\\n    os.kill({os.getpid()}, signal.SIGUSR1); time.sleep(0.0002)"
sender = subprocess.Popen([sys.executable, "-c", many])
while sender.poll() is None:
    event.wait(0.00001)
print(event.wait(5))
"""


def test_signals_in_the_middle_of_waiting_set_the_event() -> None:
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout.strip() == "True", ran.stderr
