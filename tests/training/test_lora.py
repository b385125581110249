"""Low-rank adapters: their formula, what learns, what is saved, on every kind of layer that has matrices."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import TARGET, tiny_batch, tiny_model
from torch import Tensor, nn

from seq2seq_kit.checkpoint import load_run
from seq2seq_kit.criteria.cross_entropy import CrossEntropyConfig
from seq2seq_kit.decoding.pipeline import load
from seq2seq_kit.errors import ConfigError
from seq2seq_kit.registry import build
from seq2seq_kit.run_config import LoraConfig, RunConfig
from seq2seq_kit.sealed import read_tensors
from seq2seq_kit.training.callbacks import Callback, Step
from seq2seq_kit.training.lora import Adapters, merge
from seq2seq_kit.training.objective import objective
from seq2seq_kit.training.runs import resume, train
from seq2seq_kit.training.trainer import Trainer

Tiny = Callable[..., RunConfig]


class Weights(Callback):
    def on_start(self, trainer: Trainer) -> None:
        self.before = {name: x.clone() for name, x in trainer.evaluated.state_dict().items()}

    def on_step(self, trainer: Trainer, step: Step) -> None:
        self.gradients = {name for name, p in trainer.model.named_parameters() if p.grad is not None}


def attached(module: nn.Module, **options: Any) -> Adapters:
    torch.manual_seed(0)
    return Adapters(module, LoraConfig(**{"targets": ["*"], "rank": 2, "alpha": 6.0, **options}))


@pytest.mark.parametrize("kind", [nn.Linear, nn.GRU, nn.LSTM, nn.Embedding])
def test_an_adapted_layer_is_the_layer_with_the_sum_in_the_place_of_its_weight(kind: Any) -> None:
    layer, plain = (kind(5, 4) for _ in range(2))
    plain.load_state_dict(layer.state_dict())
    x = torch.tensor([1, 4, 0]) if kind is nn.Embedding else torch.randn(3, 2, 5)

    def output(module: nn.Module) -> Tensor:
        found = module(x)
        return found[0] if isinstance(found, tuple) else found

    before = output(plain)
    adapters = attached(layer)
    assert torch.equal(output(layer), before)  # B starts at 0
    with torch.no_grad():
        for name, tensor in layer.named_parameters():
            if name.endswith(".b"):
                tensor.normal_()
    merged = merge(plain.state_dict(), adapters.tensors(), scale=6.0 / 2)
    for name in {path.rpartition(".")[0] for path in adapters.tensors()}:
        a, b = (adapters.tensors()[f"{name}.{which}"] for which in "ab")
        torch.testing.assert_close(merged[name], plain.state_dict()[name] + 3.0 * b @ a)
    plain.load_state_dict(merged)
    torch.testing.assert_close(output(layer), output(plain))
    assert not torch.allclose(output(layer), before)
    output(layer).sum().backward()
    learned = {name for name, p in layer.named_parameters() if p.grad is not None}
    assert learned == {name for name, p in layer.named_parameters() if name.endswith((".a", ".b"))}


def test_dropout_hides_whole_features_from_the_adapter_alone() -> None:
    layer = nn.Linear(1000, 3)
    adapters = attached(layer, dropout=0.25)
    with torch.no_grad():
        for name, tensor in layer.named_parameters():
            if name.endswith(".b"):
                tensor.normal_()
    original = layer.parametrizations.weight.original  # type: ignore[union-attr,index]
    layer.requires_grad_(False)
    whole = layer.weight - original
    adapters.before_forward()
    share = (layer.weight - original) / whole
    kept = share.mean(0).round(decimals=3)  # of each feature: all or none, scaled so that the mean stays
    assert {round(float(v), 2) for v in kept} == {0.0, 1.33} and 0.70 < float((kept > 0).float().mean()) < 0.80
    torch.testing.assert_close(share, kept.expand_as(share), rtol=0, atol=2e-3)
    adapters.keep_all()
    assert torch.equal(layer.weight - original, whole)


@pytest.mark.parametrize("tied", [False, True])
def test_adapters_get_the_gradient_of_the_weight_through_the_training_objective(tied: bool) -> None:
    """Of W + s · B A: dA = s · Bᵀ dW and dB = s · dW Aᵀ; also where the output layer's loss is computed in chunks."""
    decoder = {"name": "gru", "attention": "luong", "tie_embeddings": tied, "embedding_size": 8}
    plain, adapted = tiny_model(decoder=decoder), tiny_model(decoder=decoder)
    adapters = attached(adapted)
    with torch.no_grad():
        for name, tensor in adapters.tensors().items():
            if name.endswith(".b"):
                tensor.normal_()
    plain.load_state_dict(merge(plain.state_dict(), adapters.tensors(), scale=3.0))
    criterion = build("criterion", CrossEntropyConfig(label_smoothing=0.1), TARGET)
    losses = []
    for model in (plain, adapted):
        loss = objective(model, criterion, tiny_batch()).loss
        loss.backward()
        losses.append(loss.item())
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    gradients = {name: p.grad for name, p in adapted.named_parameters() if p.grad is not None}
    found = 0
    for name, parameter in plain.named_parameters():
        if f"{name}.a" in adapters.tensors():
            path, _, leaf = name.rpartition(".")
            a, b = (f"{path}.parametrizations.{leaf}.0.{which}" for which in "ab")
            values = dict(adapted.named_parameters())
            torch.testing.assert_close(gradients[a], 3 * values[b].T @ parameter.grad, rtol=1e-4, atol=1e-4)
            torch.testing.assert_close(gradients[b], 3 * parameter.grad @ values[a].T, rtol=1e-4, atol=1e-4)
            found += 1
    assert found > 8


def test_only_adapters_learn_and_an_ordinary_run_is_saved(tiny: Tiny, tmp_path: Path) -> None:
    weights, run = Weights(), tmp_path / "run"
    lora = {"rank": 2, "targets": ["decoder.output_layer", "encoder.network", "*.embedding"], "dropout": 0.1}
    config = tiny(max_steps=20, learning_rate=0.05, lora=lora, validation_metric="loss", validate_every=100)
    summary = train(config, run, callbacks=[weights])
    assert weights.gradients and all(name.endswith((".a", ".b")) for name in weights.gradients)
    adapters, facts = read_tensors(run / "adapters.safetensors")
    assert summary.parameters == sum(x.numel() for x in adapters.values())
    saved = load_run(run)  # with no word of adapters
    assert saved.facts["step"] == 20 and facts == {"rank": 2, "alpha": 16.0}
    merged = merge(weights.before, adapters, facts["alpha"] / facts["rank"])
    for name, tensor in saved.model.state_dict().items():
        torch.testing.assert_close(tensor, merged[name], rtol=1e-5, atol=1e-6)
        assert torch.equal(tensor, weights.before[name]) == (f"{name}.a" not in adapters)
    assert load(run).translate(["one two"])[0].text == load(run, which="last").translate(["one two"])[0].text
    assert summary.best_metrics["loss"] < 2.3  # it learned: 2.7 before


def test_a_resumed_run_is_the_unbroken_one_bit_for_bit(tiny: Tiny, tmp_path: Path) -> None:
    lora = {"rank": 2, "targets": ["decoder"], "dropout": 0.2}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        train(tiny(max_steps=14, lora=lora, validate_every=100), tmp_path / "unbroken")
        train(tiny(max_steps=9, lora=lora, validate_every=100), tmp_path / "run")
        resume(tmp_path / "run", ["training.max_steps=14"])
    finally:
        torch.set_num_threads(threads)
    ours, theirs = (read_tensors(tmp_path / run / "training.safetensors")[0] for run in ("run", "unbroken"))
    assert set(ours) == set(theirs) and all(torch.equal(ours[name], tensor) for name, tensor in theirs.items())
    with pytest.raises(ConfigError, match="lora, which makes parameters"):
        resume(tmp_path / "run", ["training.lora=null"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lora": {"targets": ["*.bias", "*.bias_ih_l0"]}}, r"lora\.targets: match no matrix but .*bias"),
        ({"lora": {"targets": ["decoder.outputs_layer"]}}, r"did you mean 'decoder\.output_layer"),
        ({"lora": {"rank": 4}}, r"training\.lora\.targets: this field is required"),
        ({"lora": {"targets": ["*"], "rang": 4}}, "did you mean 'rank'"),
        ({"lora": {"targets": ["*"]}, "freeze": ["encoder"]}, "leave freeze away"),
        ({"lora": {"targets": ["*"]}, "ema_decay": 0.9}, "leave ema_decay away"),
    ],
)
def test_what_cannot_be_adapted_is_refused(tiny: Tiny, tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        train(tiny(**options), tmp_path / "run")


def test_a_shared_matrix_cannot_be_adapted_in_one_place() -> None:
    module = nn.ModuleDict({"a": nn.Linear(3, 3), "b": nn.Linear(3, 3)})
    module["b"].weight = module["a"].weight
    with pytest.raises(ConfigError, match=r"a\.weight is shared by 2 modules"):
        attached(module)
