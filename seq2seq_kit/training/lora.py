"""Low-rank adapters (LoRA; Hu et al. 2021): W + alpha / rank · B A in the place of W, of which only A and B learn.

They are attached to a built model as parametrizations of its weights: any component can have them and knows nothing of
them. What is validated and saved is the sum, under W's own name (see :mod:`seq2seq_kit.training.shadow`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn
from torch.nn.utils import parametrize

from seq2seq_kit.console import stderr
from seq2seq_kit.errors import ConfigError
from seq2seq_kit.interfaces import TensorDict
from seq2seq_kit.run_config import LoraConfig
from seq2seq_kit.sealed import write_tensors
from seq2seq_kit.training.parameter_names import matching

ADAPTERS = "adapters.safetensors"


class LowRank(nn.Module):
    """W [N, D] -> W + scale · B A, with A [rank, D] and B [N, rank]; B starts at 0 and the sum therefore at W."""

    def __init__(self, weight: Tensor, config: LoraConfig) -> None:
        super().__init__()
        rows, columns = weight.shape
        self.scale = config.alpha / config.rank
        self.dropout = config.dropout
        self.a = nn.Parameter(weight.new_empty(config.rank, columns))
        self.b = nn.Parameter(weight.new_zeros(rows, config.rank))
        self.mask: Tensor | None = None  # [D]: of A's columns in this forward pass
        nn.init.kaiming_uniform_(self.a, a=math.sqrt(5))  # as torch starts a linear layer

    def forward(self, weight: Tensor) -> Tensor:
        a = self.a if self.mask is None else self.a * self.mask
        return weight + self.scale * (self.b @ a)

    def draw_mask(self) -> None:
        """Dropout of the input that the adapter sees, alike for all positions of a batch."""
        self.mask = nn.functional.dropout(self.a.new_ones(self.a.shape[1]), self.dropout)


class Adapters:
    """The adapters of a model: attaches them, and freezes all its other parameters.

    Args:
        model: is changed; what was ``x.weight`` is ``x.parametrizations.weight.original`` (W), ``….0.a`` and ``….0.b``.

    Raises:
        ConfigError: a target matches nothing, no matrix, or a matrix that two modules share; the message names it.
    """

    def __init__(self, model: nn.Module, config: LoraConfig) -> None:
        self.config = config
        found = matching(model, config.targets, "lora.targets")
        _check_targets(model, found)
        for parameter in model.parameters():
            parameter.requires_grad_(False)
        self._parts: dict[str, LowRank] = {}
        for name, parameter in found.items():
            if parameter.dim() == 2:
                module_path, _, leaf = name.rpartition(".")
                module = model.get_submodule(module_path)
                self._parts[name] = LowRank(parameter, config)
                parametrize.register_parametrization(module, leaf, self._parts[name])
        for module in {m for m in model.modules() if isinstance(m, nn.RNNBase) and parametrize.is_parametrized(m)}:
            module.register_forward_pre_hook(_fresh_weights)

        learned = sum(p.numel() for p in model.parameters() if p.requires_grad)
        line = f"training.lora: {len(self._parts)} weights have adapters, with {learned:,} numbers to be learned"
        stderr().print(line, highlight=False, soft_wrap=True)

    def before_forward(self) -> None:
        """Draw what dropout leaves out of the next forward pass in training."""
        if self.config.dropout:
            for part in self._parts.values():
                part.draw_mask()

    def keep_all(self) -> None:
        """Until the next forward pass in training, the weights are the whole sums, without dropout."""
        for part in self._parts.values():
            part.mask = None

    def tensors(self) -> TensorDict:
        """A and B by the weight's name: ``decoder.….weight.a`` [rank, D] and ``….weight.b`` [N, rank]."""
        pairs = [(f"{name}.{which}", getattr(part, which)) for name, part in self._parts.items() for which in "ab"]
        return {name: tensor.detach() for name, tensor in pairs}

    def save(self, run: Path) -> None:
        """Write ``adapters.safetensors``: the tensors, and as facts what :func:`merge` needs."""
        write_tensors(run / ADAPTERS, self.tensors(), {"rank": self.config.rank, "alpha": self.config.alpha})


def merge(weights: Mapping[str, Tensor], adapters: Mapping[str, Tensor], scale: float) -> TensorDict:
    """``weights`` with W + scale · B A for each that has adapters; scale is alpha / rank."""
    merged = dict(weights)
    for name in {path.rpartition(".")[0] for path in adapters}:
        merged[name] = weights[name] + scale * (adapters[f"{name}.b"] @ adapters[f"{name}.a"])
    return merged


def _check_targets(model: nn.Module, found: Mapping[str, nn.Parameter]) -> None:
    if not any(parameter.dim() == 2 for parameter in found.values()):
        raise ConfigError(f"training.lora.targets: match no matrix but {', '.join(list(found)[:3])}; adapt weights")
    owners = Counter(parameter for _, parameter in model.named_parameters(remove_duplicate=False))
    for name, parameter in found.items():
        if owners[parameter] > 1:
            raise ConfigError(
                f"training.lora.targets: {name} is shared by {owners[parameter]} modules and cannot be adapted in one"
            )


def _fresh_weights(module: nn.Module, inputs: object) -> None:
    """A recurrent network calls its kernel with a list of weights made long before: give it the sums of now."""
    assert isinstance(module, nn.RNNBase)
    module._flat_weights = [getattr(module, name) for name in module._flat_weights_names]
