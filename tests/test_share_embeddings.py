"""One embedding matrix for encoder and decoder: trained once, saved once, loaded into both."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import tiny_batch

from seq2seq_kit.checkpoint import load_run, load_weights, weights
from seq2seq_kit.components import Component
from seq2seq_kit.config import validate
from seq2seq_kit.decoders.recurrent import GRUDecoder, GRUDecoderConfig
from seq2seq_kit.errors import ConfigError
from seq2seq_kit.interfaces import SourceSpec, TargetSpec
from seq2seq_kit.model import Model, build_model
from seq2seq_kit.run_config import ModelConfig, make_config
from seq2seq_kit.sealed import read_tensors
from seq2seq_kit.testing import temporary_plugin
from seq2seq_kit.training.runs import resume, train

TRANSFORMER = {"name": "transformer", "size": 8, "layers": 1, "heads": 2, "feed_forward_size": 12}
GRU = {"name": "gru", "size": 8, "embedding_size": 8}


def shared(encoder: Any, decoder: Any, source: int = 11, *, vocabulary: bool = True) -> Model:
    torch.manual_seed(0)
    sections = {"encoder": encoder, "decoder": decoder, "share_embeddings": True}
    config = validate(ModelConfig, sections, "test")
    return build_model(config, SourceSpec(source), TargetSpec(11), shared_vocabulary=vocabulary)


FAMILIES = [
    (TRANSFORMER, TRANSFORMER),
    (TRANSFORMER, {**GRU, "tie_embeddings": True}),
    (GRU, {**GRU, "tie_embeddings": True}),
    (GRU, GRU),
    (GRU, TRANSFORMER),
]


@pytest.mark.parametrize(("encoder", "decoder"), FAMILIES)
def test_both_sides_read_one_matrix_at_one_scale(encoder: Any, decoder: Any) -> None:
    model = shared(encoder, decoder)
    embeddings = [name for name in weights(model) if name.endswith("embedding.weight")]
    assert embeddings == ["encoder.embedding.weight"]
    tokens = torch.arange(4, 11)
    read: Any = model.encoder
    wrote: Any = model.decoder
    assert torch.equal(read.embedding(tokens), wrote.embedding(tokens))
    assert 0.5 < float(read.embedding(tokens).detach().std()) < 1.5
    other = shared(encoder, decoder)
    torch.nn.init.normal_(wrote.embedding.weight)
    load_weights(other, {name: tensor.clone() for name, tensor in weights(model).items()}, Path("test"))
    batch = tiny_batch()
    torch.testing.assert_close(other.eval()(batch)[0], model.eval()(batch)[0])


def test_a_decoder_may_have_entries_of_its_own_after_the_vocabularys(monkeypatch: pytest.MonkeyPatch) -> None:
    class Longer(GRUDecoder):
        def __init__(self, config: Any, target: TargetSpec, memory: Any) -> None:
            super().__init__(config, replace(target, vocab_size=target.vocab_size + 1), memory)

    with temporary_plugin(Component("decoder", "longer", Longer, GRUDecoderConfig)):
        model = shared(GRU, {**GRU, "name": "longer"})
        encoder: Any = model.encoder
        assert encoder.embedding.num_embeddings == 12
        with pytest.raises(ConfigError, match="the encoder embeds 12 tokens in size 8, the decoder 12"):
            shared(GRU, {**GRU, "name": "longer"}, source=12)


def test_gradients_of_both_sides_meet() -> None:
    model = shared(TRANSFORMER, TRANSFORMER)
    batch = tiny_batch((1,), target_length=2)
    batch.source[0, 0], batch.target[0, 0] = 4, 5  # type: ignore[index]
    model(batch)[0].square().sum().backward()
    decoder: Any = model.decoder
    assert decoder.embedding.weight.grad[4].any() and decoder.embedding.weight.grad[5].any()


def test_what_cannot_be_shared_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"vocabularies of their own.*shared_tokenizer: true"):
        shared(TRANSFORMER, TRANSFORMER, vocabulary=False)
    with pytest.raises(ConfigError, match="the encoder embeds 9 tokens in size 8, the decoder 11 tokens in size 8"):
        shared(TRANSFORMER, TRANSFORMER, source=9)
    with pytest.raises(ConfigError, match="in size 16, the decoder 11 tokens in size 8"):
        shared({**TRANSFORMER, "size": 16}, TRANSFORMER)
    with pytest.raises(ConfigError, match="there is no encoder to share them with"):
        shared(None, TRANSFORMER)


def test_a_run_holds_the_matrix_once_and_resumes(tmp_path: Path) -> None:
    data = tmp_path / "data.tsv"
    data.write_text("".join(f"{a} {b}\t{b} {a}\n" for a in "abcd" for b in "efgh"), encoding="utf-8")
    values = {
        "task": {"name": "translation", "source_tokenizer": "char", "shared_tokenizer": True},
        "data": {"train": [str(data)], "dev": [str(data)]},
        "model": {"encoder": TRANSFORMER, "decoder": TRANSFORMER, "share_embeddings": True},
        "training": {"max_steps": 2, "batch_tokens": 40, "validate_every": 2, "validation_examples": 2},
    }
    run = tmp_path / "run"
    train(make_config(values, [], "test"), run)
    tensors, _ = read_tensors(run / "model.safetensors")
    assert [name for name in tensors if name.endswith("embedding.weight")] == ["encoder.embedding.weight"]
    resume(run, ["training.max_steps=4"])
    model = load_run(run, "last").model
    encoder: Any = model.encoder
    assert encoder.embedding is model.decoder.embedding
