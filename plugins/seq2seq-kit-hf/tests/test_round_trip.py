"""What was imported can go back: the same weights, the same files; after fine-tuning too."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import s2s

from seq2seq_kit import load

checkpoints = pytest.importorskip("checkpoints")


@pytest.mark.parametrize("family", checkpoints.FAMILIES)
def test_what_is_exported_is_what_was_imported(
    family: str, checkpoint: Callable[[str], Path], run: Callable[[str], Path], tmp_path: Path
) -> None:
    from transformers import AutoModelForSeq2SeqLM

    s2s("export", "hf", run(family), tmp_path / "back")
    there = checkpoint(family)
    for file in there.iterdir():
        if file.suffix != ".safetensors":
            assert (tmp_path / "back" / file.name).read_bytes() == file.read_bytes(), file.name
    wanted = AutoModelForSeq2SeqLM.from_pretrained(there).state_dict()
    found = AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "back").state_dict()
    assert wanted.keys() == found.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in wanted.items())


def test_a_run_is_fine_tuned_and_goes_back(run: Callable[[str], Path], tmp_path: Path) -> None:
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    data, sentences = tmp_path / "data.tsv", checkpoints.SENTENCES
    data.write_text("".join(f"{s}\t{t}\n" for s, t in zip(sentences[:4], sentences[4:], strict=True)), encoding="utf-8")
    training = {"max_steps": 20, "learning_rate": 0.01, "validate_every": 20, "log_every": 1}
    settings = [f"--set=data.train=[{data}]", f"--set=data.dev=[{data}]", "--set=model.decoder.dropout=0.0"]
    settings += [f"--set=training.{name}={value}" for name, value in training.items()]
    start, tuned = run("marian"), tmp_path / "tuned"
    s2s("train", start / "config.yaml", "--from", start, "--out", tuned, *settings)
    records = [json.loads(line) for line in (tuned / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    losses = [record["loss"] for record in records if record["kind"] == "train"]
    assert losses[-1] < losses[0] - 0.5
    s2s("evaluate", tuned, "--data", data)
    s2s("export", "hf", tuned, tmp_path / "back")
    model, tokenizer = (c.from_pretrained(tmp_path / "back") for c in (AutoModelForSeq2SeqLM, AutoTokenizer))
    written = model.generate(**tokenizer(sentences[:4], return_tensors="pt", padding=True))
    texts = [output.text for output in load(tuned)(sentences[:4])]
    assert tokenizer.batch_decode(written, skip_special_tokens=True) == texts
    assert texts != [output.text for output in load(start)(sentences[:4])]


def test_a_run_needs_nothing_but_itself(checkpoint: Callable[[str], Path], tmp_path: Path) -> None:
    shutil.copytree(checkpoint("bart"), tmp_path / "bart")
    s2s("import", "hf", tmp_path / "bart", tmp_path / "run")
    before = [output.text for output in load(tmp_path / "run")(checkpoints.SENTENCES[:2])]
    shutil.rmtree(tmp_path / "bart")
    assert [output.text for output in load(tmp_path / "run")(checkpoints.SENTENCES[:2])] == before
