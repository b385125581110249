"""One update of the parameters: the gradient of its micro-batches, checked and clipped, then the optimizer's step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from seq2seq_kit.interfaces import Batch
from seq2seq_kit.run_config import TrainingConfig
from seq2seq_kit.training.learner import Learner
from seq2seq_kit.training.out_of_memory import OutOfMemory, halves, is_out_of_memory
from seq2seq_kit.training.precision import autocast, matmul_precision
from seq2seq_kit.training.processes import Processes, explain_lost_process
from seq2seq_kit.training.sharding import gather, is_sharded, local


@dataclass(frozen=True)
class Updated:
    """What an update did."""

    loss: float  # mean over target tokens, in nats
    tokens: int  # target tokens, EOS included
    gradient_norm: float  # before clipping


class NotFinite(Exception):
    """The loss or its gradient is not a number; the message says of which examples and which parameter."""


class Updater:
    """Makes updates. The loss of one is the mean over all target tokens of its micro-batches, however they are cut.

    Args:
        processes: those that share the work. The batches of each are moved to its device one at a time.

    Attributes:
        scaler: the loss scale of float16 (Micikevicius et al. 2018, section 3.2); disabled in other precisions.
    """

    def __init__(
        self, config: TrainingConfig, learner: Learner, optimizer: torch.optim.Optimizer, processes: Processes
    ) -> None:
        self._config = config
        self._learner = learner
        self._joined: nn.Module = learner
        self._optimizer = optimizer
        self._processes = processes
        self._device = processes.device
        self.scaler = torch.amp.GradScaler(self._device.type, enabled=config.precision == "float16")

    def join(self) -> None:
        """From here on add up the gradients of all processes, which call this together."""
        self._joined = self._processes.join(self._learner, self._optimizer, self._config.sharding == "fsdp")

    def try_out(self, batch: Batch, forcing: float) -> None:
        """Compute the gradient of a batch and forget it, before :meth:`join`: what cannot be computed shows."""
        self._backward(batch, 1, forcing)
        self._optimizer.zero_grad()

    def __call__(self, batches: Sequence[Batch], rate: float, forcing: float) -> Updated:
        """Update the parameters by the gradient of ``batches`` (this process' share) at the learning rate ``rate``.

        A float16 gradient that is too large to be written is computed again with half the loss scale.

        Raises:
            NotFinite: the loss or the gradient is not a number; the parameters are as before.
            OutOfMemory: a batch does not fit into memory, and shall not or can not be halved.
        """
        tokens = int(self._processes.add(sum(_target_tokens(batch) for batch in batches))[0])
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        while True:
            with explain_lost_process():
                shares = self._gradients(batches, tokens, forcing)
            (loss,) = self._processes.add(sum(share for _, share in shares))
            norm = self._gradient_norm()
            if not math.isfinite(loss):
                raise NotFinite(self._describe_loss(shares))
            if math.isfinite(norm):
                break
            if not self.scaler.is_enabled() or self.scaler.get_scale() < 1:
                raise NotFinite(self._describe_gradient(batches, norm))
            self.scaler.update()
        parameters = [p for p in self._learner.parameters() if p.grad is not None]
        limit = self._config.clip_norm or math.inf
        torch.nn.utils.clip_grads_with_norm_(parameters, limit, torch.tensor(norm, device=self._device))
        self._optimizer.step()
        with explain_lost_process():
            gather(self._learner)
        if self.scaler.is_enabled():
            self.scaler.update()
        return Updated(loss, tokens, norm)

    def _gradients(self, batches: Sequence[Batch], tokens: int, forcing: float) -> list[tuple[Batch, float]]:
        """Leave the gradient of the mean loss in the parameters; each batch and its share in that loss.

        Where a batch does not fit into memory and may be halved, all begins again with its halves: what the failed
        backward pass has added to the gradients cannot be told.
        """
        queue = list(batches)
        while True:
            self._optimizer.zero_grad()
            done: list[Tensor] = []
            try:
                self._accumulate(queue, tokens, forcing, done)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                self._check_halving(queue[len(done)])
            else:
                break
            if self._device.type == "cuda":
                torch.cuda.empty_cache()
            queue[len(done) : len(done) + 1] = halves(queue[len(done)])
        if self.scaler.is_enabled():
            self.scaler.unscale_(self._optimizer)
        return [(batch, share.item()) for batch, share in zip(queue, done, strict=True)]

    def _accumulate(self, batches: Sequence[Batch], tokens: int, forcing: float, done: list[Tensor]) -> None:
        """Add up the gradients of the batches, then those of the processes; each batch's share goes into ``done``."""
        # The processes add up while the last batch's gradients are made, unless that batch may have to be made again.
        overlapped = self._config.on_out_of_memory == "stop"
        for i, batch in enumerate(batches):
            with nullcontext() if overlapped and i == len(batches) - 1 else self._processes.apart(self._joined):
                done.append(self._backward(batch, tokens, forcing))
        if self._processes.count > 1 and not (overlapped and batches):
            self._joined(None, forcing).backward()

    def _check_halving(self, batch: Batch) -> None:
        if self._config.on_out_of_memory == "stop" or len(batch) == 1:
            size = "x".join(map(str, batch.source.shape))
            raise OutOfMemory(f"there is no memory for the batch of the examples {_names(batch)} (source {size})")

    def _backward(self, batch: Batch, tokens: int, forcing: float) -> Tensor:
        """Add the gradient of a batch; its share in the mean loss over ``tokens`` target tokens."""
        with matmul_precision(self._config.matmul_precision):
            with autocast(self._config.precision, self._device):
                total = self._joined(batch.to(self._device), forcing)
            share: Tensor = total / tokens
            self.scaler.scale(share * self._processes.count).backward()  # the count: gradients are averaged
        return share.detach()

    def _gradient_norm(self) -> float:
        gradients = [local(p.grad) for p in self._learner.parameters() if p.grad is not None]
        norm = float(torch.nn.utils.get_total_norm(gradients))
        return math.sqrt(self._processes.add(norm**2)[0]) if is_sharded(self._learner) else norm

    def _describe_loss(self, shares: Sequence[tuple[Batch, float]]) -> str:
        wrong = [(batch, share) for batch, share in shares if not math.isfinite(share)]
        mine = f"the loss of the examples {_names(wrong[0][0])} is {wrong[0][1]:g}" if wrong else ""
        return next(filter(None, self._processes.all(mine)), "the loss is too large") + self._first_wrong_gradient()

    def _describe_gradient(self, batches: Sequence[Batch], norm: float) -> str:
        names = "; ".join(names for all_names in self._processes.all([*map(_names, batches)]) for names in all_names)
        return f"the gradient of the examples {names} has the norm {norm:g}{self._first_wrong_gradient()}"

    def _first_wrong_gradient(self) -> str:
        named = list(self._learner.named_parameters())
        wrong = [i for i, (_, p) in enumerate(named) if p.grad is not None and not local(p.grad).isfinite().all()]
        first = min(self._processes.all(min(wrong, default=len(named))))
        if first == len(named):
            return ""
        name = named[first][0].removeprefix("model.")
        return f" (the first parameter whose gradient is not finite is {name})"


def _target_tokens(batch: Batch) -> int:
    assert batch.target_mask is not None
    return int(batch.target_mask.sum())


def _names(batch: Batch) -> str:
    return ", ".join(map(str, batch.ids[:8])) + (", …" if len(batch.ids) > 8 else "")
