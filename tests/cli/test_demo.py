"""``s2s demo --quick``: the newcomer's path, whole."""

from __future__ import annotations

from pathlib import Path


def test_quick_demo(run_s2s, tmp_path: Path) -> None:
    done = run_s2s("demo", "--quick", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    run = tmp_path / "runs" / "demo-1"
    for picture in ("curves.png", "attention.png"):
        assert (run / picture).read_bytes().startswith(b"\x89PNG")
    assert "held-out composed" in done.stdout and "held-out hand-written" in done.stdout
    assert "translate runs/demo-1" in done.stdout
    assert run_s2s("translate", "runs/demo-1", input="Hello!\n", cwd=tmp_path).stdout.count("\n") == 1
