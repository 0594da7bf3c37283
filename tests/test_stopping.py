"""The end by a signal: nobody else has the last word."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dedup.stopping import INTERRUPTED, TERMINATED

ENDS = """
import os, signal
from dedup.stopping import end_on_signals

end_on_signals()
{before}
os.kill(os.getpid(), signal.{name})
print("dedup: another error", flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize(("name", "code"), [("SIGINT", INTERRUPTED), ("SIGTERM", TERMINATED)])
@pytest.mark.parametrize("before", ["", "os.close(2)"], ids=["told", "nobody listens"])
def test_the_main_thread_does_no_more(name: str, code: int, before: str) -> None:
    """What it waited for ends by the same signal, and that is no error to tell of."""
    ended = subprocess.run(
        [sys.executable, "-c", ENDS.format(name=name, before=before)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (code, "")
    assert ended.stderr.count("\n") == (not before)


UNFINISHED = """
import os, signal, sys
from pathlib import Path
from dedup.stopping import end_on_signals, gone_when_stopped

end_on_signals()
{before}
with gone_when_stopped(Path(sys.argv[1])):
    os.kill(os.getpid(), signal.SIGTERM)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("before", ["", "os.close(2)", "sys.stderr = None"])
def test_what_is_unfinished_goes_even_when_nobody_listens(before: str, tmp_path: Path) -> None:
    (unfinished := tmp_path / "part").write_text("")
    command = [sys.executable, "-c", UNFINISHED.format(before=before), str(unfinished)]
    ended = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert ended.returncode == TERMINATED and not unfinished.exists()
