"""``s2s average``: a run folder that decodes; what averaging does is tested in tests/training."""

from __future__ import annotations

import shutil
from pathlib import Path


def test_runs_are_averaged_into_a_run_that_decodes(run_s2s, tiny_run: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_run, tmp_path / "again")
    done = run_s2s("average", tiny_run, tmp_path / "again", "-o", tmp_path / "mean")
    assert done.returncode == 0, done.stderr
    assert f"The mean of these 2 is in {tmp_path / 'mean'}" in done.stdout and "chrf" in done.stdout
    ours, theirs = (run_s2s("translate", run, input="one two\n") for run in (tmp_path / "mean", tiny_run))
    assert ours.returncode == 0 and ours.stdout == theirs.stdout


def test_mistakes_are_sentences(run_s2s, tiny_run: Path, tmp_path: Path) -> None:
    for arguments, message in (
        ([tiny_run], "one set of weights is no average"),
        ([tiny_run, "--best", 3], "keep_best=3"),
        ([tiny_run, "--best", 3, "--last", 2], "not both"),
        ([tmp_path / "none", tiny_run], "there is no such run folder"),
    ):
        done = run_s2s("average", *arguments, "-o", tmp_path / "mean")
        assert done.returncode == 2 and message in done.stderr and "Traceback" not in done.stderr, done.stderr
        assert not (tmp_path / "mean").exists()
