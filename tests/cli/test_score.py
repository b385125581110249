"""``s2s score`` and lines that cannot be scored."""

from __future__ import annotations

import json
from pathlib import Path

LINES = b"one two\tun deux\nno tab\n\xff\tun\nsix one\tsix un\n"


def test_a_bad_line_stops_or_has_an_empty_line(run_s2s, tiny_run: Path) -> None:
    stopped = run_s2s("score", tiny_run, input=LINES, encoding=None)
    assert stopped.returncode == 2 and b"line 2: has 1 columns, expected SOURCE TAB TARGET" in stopped.stderr
    done = run_s2s("score", tiny_run, "--skip-bad", input=LINES, encoding=None)
    rows = done.stdout.decode().split("\n")
    assert done.returncode == 0 and [len(row.split("\t")) for row in rows] == [4, 1, 1, 4, 1]
    assert b"line 3: is not valid UTF-8 (byte 1); skipped" in done.stderr
    done = run_s2s("score", tiny_run, "--skip-bad", "--json", input=b"no tab\n", encoding=None)
    assert json.loads(done.stdout) == {}
