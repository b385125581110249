"""The model that is validated and saved, where that is not the very one that the optimizer changes."""

from __future__ import annotations

import copy
from pathlib import Path

import torch

from seq2seq_kit.model import Model
from seq2seq_kit.run_config import TrainingConfig
from seq2seq_kit.training.lora import Adapters


class Shadow:
    """A plain copy of a model that follows it: its mean over the updates (EMA), or the same with its adapters merged.

    With ``ema_decay``, after update t (from 1): shadow ← d · shadow + (1 - d) · model, d = min(ema_decay, (1 + t) / (10
    + t)): the exponential moving average of weights (Tarvainen and Valpola 2017), warmed up as TensorFlow does, so that
    the first weights are soon forgotten. Buffers are copied. Without it the shadow is the model at the last
    :meth:`refresh`. With ``lora``, adapters are attached to the original.

    Attributes:
        model: the copy.
        adapters: those of the original, if there are any.

    Raises:
        ConfigError: the adapters' targets are not usable.
    """

    def __init__(self, original: Model, config: TrainingConfig) -> None:
        self.model = copy.deepcopy(original).requires_grad_(False)
        self.adapters = Adapters(original, config.lora) if config.lora else None
        self._original = original
        self._decay = config.ema_decay

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Follow the ``step``-th update, counted from 1."""
        if self._decay is None:
            return
        self._whole()
        decay = min(self._decay, (1 + step) / (10 + step))
        for name, mean in self.model.named_parameters():
            mean.lerp_(_current(self._original, name), 1 - decay)

    @torch.no_grad()
    def refresh(self) -> None:
        """Be ready to be used or saved."""
        self._whole()
        if self._decay is None:
            for name, parameter in self.model.named_parameters():
                parameter.copy_(_current(self._original, name))
        for name, buffer in self.model.named_buffers():
            buffer.copy_(self._original.get_buffer(name))

    def save_adapters(self, run: Path) -> None:
        """Write ``adapters.safetensors``, where there are adapters."""
        if self.adapters:
            self.adapters.save(run)

    def before_forward(self, *_: object) -> None:
        """To be called before each forward pass in training."""
        if self.adapters:
            self.adapters.before_forward()

    def _whole(self) -> None:
        if self.adapters:
            self.adapters.keep_all()


def shadow_of(model: Model, config: TrainingConfig) -> Shadow | None:
    """The shadow that a configuration asks for; None: the model itself is validated and saved."""
    return Shadow(model, config) if config.lora or config.ema_decay is not None else None


def _current(model: Model, name: str) -> torch.Tensor:
    """A parameter by its plain name; the sum where it has adapters."""
    path, _, leaf = name.rpartition(".")
    tensor: torch.Tensor = getattr(model.get_submodule(path), leaf)
    return tensor
