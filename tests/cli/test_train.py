"""``s2s train``: the command line's own part; what training does is tested in tests/training."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest


def test_a_run_folder_and_a_summary(run_s2s, tiny_config: Path, tmp_path: Path) -> None:
    arguments = ["--set", "training.max_steps=6", "--set", "training.validate_every=3", "--threads", 1]
    done = run_s2s("train", tiny_config, "--out", tmp_path / "run", *arguments)
    assert done.returncode == 0, done.stderr
    assert {"checkpoint.json", "model.safetensors", "training.safetensors", "metrics.jsonl", "curves.png"} <= {
        path.name for path in (tmp_path / "run").iterdir()
    }
    assert "reached max_steps (6)" in done.stdout and "bleu" in done.stdout and "tokens/s" in done.stdout
    assert "\x1b" not in done.stderr + done.stdout and "\r" not in done.stderr  # a pipe gets plain text
    config = json.loads((tmp_path / "run" / "checkpoint.json").read_text())["config"]
    assert config["training"]["max_steps"] == 6

    more = run_s2s("train", "--resume", tmp_path / "run", "--set", "training.max_steps=8")
    assert more.returncode == 0, more.stderr
    assert "reached max_steps (8)" in more.stdout


def test_a_dry_run_prints_what_a_training_would_be_and_writes_nothing(
    run_s2s, tiny_config: Path, tiny_run: Path, tmp_path: Path
) -> None:
    done = run_s2s("train", tiny_config, "--dry-run", "--from", tiny_run, "--set", "seed=77", cwd=tmp_path)
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert "seed: 77" in done.stdout and "label_smoothing: 0.0" in done.stdout  # also what the file leaves out
    assert "decoder.output_layer.weight" in done.stdout and "MB of memory" in done.stdout
    assert "\n  source  " in done.stdout and "</s>\n  target  " in done.stdout
    assert not list(tmp_path.iterdir())


def test_without_out_it_finds_a_new_folder(run_s2s, tiny_config: Path, tmp_path: Path) -> None:
    for folder in ("config", "config-2"):
        done = run_s2s("train", tiny_config, "--set", "training.max_steps=1", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "runs" / folder / "checkpoint.json").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give a configuration file, or --resume"),
        (["none.yaml"], "none.yaml: there is no such file"),
        (["CONFIG", "--resume", "run"], "not both"),
        (["--resume", "run", "--out", "other"], "leave --out away"),
        (["--resume", "run", "--from", "other"], "leave --from away"),
        (["--resume", "run", "--dry-run"], "leave --resume away"),
        (["CONFIG", "--from", "none"], "none: there is no such run folder"),
        (["CONFIG", "--set", "trainig.max_steps=3"], "did you mean 'training'"),
        (["CONFIG", "--set", "training.lora.rang=3"], "did you mean 'rank'"),
        (["--resume", "none"], "none: there is no such run folder"),
        (["--resume", "."], "is not a run folder"),
        (["CONFIG", "--set", "training.max_stepz=3"], "did you mean 'max_steps'"),
        (["CONFIG", "--set", "training.max_steps=many"], "training.max_steps"),
        (["CONFIG", "--set", "model.encoder=gruu"], "did you mean 'gru'"),
        (["CONFIG", "--set", "training.max_steps=null"], "say when to stop"),
        (["CONFIG", "--set", "seed"], "key=value"),
        (["CONFIG", "--out", "full"], "not empty"),
        (["CONFIG", "--device", "warp9", "--out", "new"], "warp9"),
        (["CONFIG", "--set", "data.train=[none.tsv]", "--out", "new"], "none.tsv"),
        (["CONFIG", "--set", "model.encoder.size=31", "--out", "new"], "31"),
    ],
)
def test_mistakes_are_sentences_and_exit_code_2(
    run_s2s, tiny_config: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "precious").touch()
    done = run_s2s("train", *[str(tiny_config) if a == "CONFIG" else a for a in arguments], cwd=tmp_path)
    assert done.returncode == 2
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["full"]  # nothing was made


def test_ctrl_c_exits_with_130_and_resume_goes_on(run_s2s, tiny_config: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    command = ["train", str(tiny_config), "--out", str(run), "--set", "training.max_steps=1000000"]
    process = subprocess.Popen(
        [sys.executable, "-m", "seq2seq_kit", *command], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not (
        (run / "metrics.jsonl").exists() and (run / "metrics.jsonl").stat().st_size
    ):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert f"Continue with: s2s train --resume {run}" in err and "Traceback" not in err
    step = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])["step"]
    done = run_s2s("train", "--resume", run, "--set", f"training.max_steps={step + 20}")
    assert done.returncode == 0, done.stderr
    assert run_s2s("translate", run, input="one\n").returncode == 0


def test_help_needs_no_torch(run_s2s) -> None:
    code = (
        "import sys; sys.argv = ['s2s', 'train', '--help']\n"
        "from seq2seq_kit.cli import main\n"
        "try: main()\nexcept SystemExit: pass\nassert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--resume" in done.stdout and "s2s train config.yaml" in done.stdout
