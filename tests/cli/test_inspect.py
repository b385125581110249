"""``s2s inspect``: what a run is, without torch and without its plugins; what is damaged is a sentence."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from seq2seq_kit.cli import main
from seq2seq_kit.inspection import inspect_run

FROZEN = Path(__file__).parents[1] / "frozen" / "run"
"""A run whose plugin is not installed."""


def inspected(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """Exit code, stdout and stderr."""
    with pytest.raises(SystemExit) as end:
        main(["inspect", *map(str, arguments)])
    told = capsys.readouterr()
    return int(end.value.code or 0), told.out, told.err


@pytest.fixture
def run(tiny_run: Path, tmp_path: Path) -> Path:
    """A copy that can be damaged."""
    copy = tmp_path / "run"
    shutil.copytree(tiny_run, copy)
    return copy


def test_all_of_a_run_is_shown(
    tiny_run: Path, tiny_data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    code, out, err = inspected(capsys, tiny_run)
    assert (code, err) == (0, "")
    assert "bidirectional: true" in out and str(tiny_data) in out
    for part in ("task.source_tokenizer", "decoder.attention", "WordLevel", "<unk>", "model.safetensors"):
        assert part in out, part
    assert "best validation, step" in out and "last validation, step 120: loss" in out
    assert "trained for 120 steps" in out
    assert "loss: of training, ● of validations" in out and "└──" in out and "chrf of validations" in out


def test_parameters_are_counted_by_module(tiny_run: Path) -> None:
    found = inspect_run(tiny_run)
    modules = {module.name: module for module in found.modules(2)}
    total = sum(module.numbers for name, module in modules.items() if "." not in name)
    from seq2seq_kit.checkpoint import load_run, weights

    state = weights(load_run(tiny_run).model)
    assert total == sum(tensor.numel() for tensor in state.values())
    assert modules["encoder"].numbers == sum(x.numel() for name, x in state.items() if name.startswith("encoder."))
    assert modules["encoder"].dtypes == ["F32"]
    assert "decoder.attention" in modules and all(name.count(".") < 2 for name in modules)
    assert len(found.modules(1)) == len({name.split(".")[0] for name in state})


def test_a_program_can_read_it(tiny_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = inspected(capsys, tiny_run, "--json")
    report: dict[str, Any] = json.loads(out)
    assert code == 0 and report["problems"] == []
    assert report["config"]["search"]["beam_size"] == 3
    assert report["last"]["step"] == 120 and report["best"]["best"] is True
    [source] = [v for v in report["vocabularies"] if v["file"].endswith("source.json")]
    assert source["size"] == 14 and source["special"] == ["<pad>", "<s>", "</s>", "<unk>"] and len(source["first"]) == 8
    assert {c["installed"] for c in report["components"]} == {c["version"] for c in report["components"]}
    assert report["files"]["model.safetensors"] > 1000


def test_plugins_that_are_missing_are_named_and_not_needed(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = inspected(capsys, FROZEN)
    assert (code, err) == (0, "")
    assert "pip install s2s-frozen==0.1.0" in " ".join(out.split())
    assert "tokenizers/source.json: in a form of its task's or tokenizer's own" in out
    report = json.loads(inspected(capsys, FROZEN, "--json")[1])
    assert {c["distribution"]: c["installed"] for c in report["components"]}["s2s-frozen"] is None
    assert report["parameters"] > 0 and report["vocabularies"] == []


def test_before_the_first_validation_the_last_state_is_shown(run: Path) -> None:
    whole = inspect_run(run)
    (run / "model.safetensors").unlink()
    found = inspect_run(run)
    assert found.weights_file == "training.safetensors" and not found.problems
    assert found.modules(3) == whole.modules(3)


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizers/source.json"])
def test_the_rest_is_shown_of_a_damaged_run(run: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    content = bytearray((run / name).read_bytes())
    content[len(content) // 2] ^= 1
    (run / name).write_bytes(content)
    code, out, err = inspected(capsys, run)
    assert code == 2 and "best validation" in out
    assert err.startswith("Error: ") and f"{run / name}: is damaged" in err and "Traceback" not in err
    (run / name).unlink()
    code, out, err = inspected(capsys, run, "--json")
    assert (code == 2) == (name != "model.safetensors") and json.loads(out)["config"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("checkpoint.json", b"{", "is damaged"),
        ("checkpoint.json", None, "is not a run folder"),
        ("", None, "there is no such run folder"),
    ],
)
def test_a_foreign_folder_is_a_sentence(
    run: Path, name: str, content: bytes | None, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if not name:
        shutil.rmtree(run)
    elif content is None:
        (run / name).unlink()
    else:
        (run / name).write_bytes(content)
    code, out, err = inspected(capsys, run)
    assert (code, out) == (2, "") and message in err


def test_a_record_cut_short_and_no_record_do_no_harm(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (run / "metrics.jsonl").open("ab") as file:
        file.write(b'{"kind": "train", "st')
    assert inspected(capsys, run)[0] == 0
    (run / "metrics.jsonl").unlink()
    code, out, _ = inspected(capsys, run)
    assert code == 0 and "validation, step" not in out


def test_it_imports_no_torch(tiny_run: Path) -> None:
    code = f"""
import sys
from seq2seq_kit.cli import main
try:
    main(["inspect", {str(tiny_run)!r}])
except SystemExit as end:
    assert not end.code
assert "torch" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
