"""What transformers computed once, of models whose weights follow from their names: it is not needed here."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import s2s
from seeded import GOLDEN, write_checkpoint

from seq2seq_kit import Example, Pipeline, load, search

FAMILIES = sorted(path.stem for path in GOLDEN.glob("*.json"))


def read(family: str) -> dict[str, Any]:
    golden: dict[str, Any] = json.loads((GOLDEN / f"{family}.json").read_text(encoding="utf-8"))
    return golden


@pytest.fixture(scope="module", params=FAMILIES)
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Pipeline]:
    folder = tmp_path_factory.mktemp(request.param)
    golden = read(request.param)
    write_checkpoint(folder / "checkpoint", golden)
    s2s("import", "hf", folder / "checkpoint", folder / "run")
    return golden, load(folder / "run")


def test_every_family_is_here() -> None:
    assert FAMILIES == ["bart", "m2m_100", "marian", "mbart", "mt5", "pegasus", "t5"]


@torch.inference_mode()
def test_logits_and_searches_are_as_transformers_computed_them(both: tuple[dict[str, Any], Pipeline]) -> None:
    golden, run = both
    task, decoder = run.task, run.model.decoder
    texts = [" ".join(f"t{token}" for token in source[:-1]) for source in golden["sources"]]
    encoded = task.encode([Example(text) for text in texts])
    assert [example.source for example in encoded] == golden["sources"]
    memory = run.model.encode(task.collate(encoded))
    found = decoder.output(decoder(torch.tensor(golden["prefixes"]), memory).hidden, memory)
    torch.testing.assert_close(found, torch.tensor(golden["logits"]), atol=1e-4, rtol=0)
    spec = task.target_spec
    options = replace(run.options(), bos_id=spec.bos_id, eos_ids=(spec.eos_id,), unk_id=spec.unk_id)
    assert (options.semantics, options.beam_size, options.no_repeat_ngram, options.max_length) == ("hf", 3, 2, 9)
    hypotheses = [h.tokens for [h] in search(decoder.step, decoder.init_state(memory, len(texts)), options)]
    width = len(golden["tokens"][0])
    assert [row + [spec.pad_id] * (width - len(row)) for row in hypotheses] == golden["tokens"]
    named = [task.tokenizers()["target"].tokens(row[: -1 if row[-1] == spec.eos_id else None]) for row in hypotheses]
    assert [output.tokens for output in run(texts)] == named  # by whatever the kit decodes with


def test_a_model_without_its_output_layer_is_read_too(tmp_path: Path) -> None:
    """BartModel's tensors have no ``model.`` before their names."""
    golden = read("bart")
    write_checkpoint(tmp_path / "whole", golden)
    from safetensors.torch import load_file, save_file

    tensors = load_file(tmp_path / "whole" / "model.safetensors")
    for name in ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"):
        (tmp_path / "bare").mkdir(exist_ok=True)
        (tmp_path / "bare" / name).write_bytes((tmp_path / "whole" / name).read_bytes())
    bare = {name.removeprefix("model."): x for name, x in tensors.items() if name != "final_logits_bias"}
    save_file(bare, tmp_path / "bare" / "model.safetensors")
    s2s("import", "hf", tmp_path / "bare", tmp_path / "run")
    model = load(tmp_path / "run").model
    assert not model.decoder.output_bias.any()
    assert torch.equal(model.encoder.embedding.weight, bare["shared.weight"])


def test_weights_in_several_files_and_in_bfloat16_are_read(tmp_path: Path) -> None:
    golden = read("t5")
    write_checkpoint(tmp_path / "one", golden)
    write_checkpoint(tmp_path / "two", golden)
    from safetensors.torch import load_file, save_file

    tensors = {name: x.bfloat16() for name, x in load_file(tmp_path / "one" / "model.safetensors").items()}
    (tmp_path / "two" / "model.safetensors").unlink()
    names = sorted(tensors)
    parts = {"model-1.safetensors": names[::2], "model-2.safetensors": names[1::2]}
    for file_name, part in parts.items():
        save_file({name: tensors[name] for name in part}, tmp_path / "two" / file_name)
    index = {"weight_map": {name: file_name for file_name, part in parts.items() for name in part}}
    (tmp_path / "two" / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    s2s("import", "hf", tmp_path / "two", tmp_path / "run")
    weight = load(tmp_path / "run").model.encoder.embedding.weight
    assert weight.dtype == torch.float32 and torch.equal(weight, tensors["shared.weight"].float())


def test_the_tokenizer_serves_a_model_that_is_trained_from_the_beginning(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "marian", read("marian"))
    data = tmp_path / "data.tsv"
    data.write_text("t5 t9\tt7\nt11\tt8 t6\n", encoding="utf-8")
    tokenizers = [
        f"  {s}_tokenizer: {{name: hf, source: {tmp_path / 'marian'}, side: {s}}}" for s in ("source", "target")
    ]
    config = [
        "task:",
        "  name: translation",
        *tokenizers,
        "  shared_vocabulary: true",
        f"data: {{train: [{data}], dev: [{data}]}}",
    ]
    stack = "{name: transformer, size: 8, heads: 2, layers: 1, feed_forward_size: 8}"
    config += [f"model: {{encoder: {stack}, decoder: {stack}, share_embeddings: true}}", "training: {max_steps: 1}"]
    (tmp_path / "config.yaml").write_text("\n".join(config), encoding="utf-8")
    s2s("train", tmp_path / "config.yaml", "--out", tmp_path / "run")
    run = load(tmp_path / "run")
    assert run.model.encoder.embedding.weight.shape == (20, 8)
    assert run.task.target_spec.bos_id == 2 and run.task.target_spec.pad_id == 1
