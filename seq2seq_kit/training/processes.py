"""The processes that train one model together: this one alone, or those that torchrun or ``accelerate launch`` started.

Each holds the whole model and computes the gradient of its share of every update's batches; the gradients are added up
(data parallelism, ``torch.nn.parallel.DistributedDataParallel``), so that the update is that of one process. The first
process alone validates, logs, saves and talks.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import nn

from seq2seq_kit.device import check_device
from seq2seq_kit.errors import UserError
from seq2seq_kit.training import sharding

if TYPE_CHECKING:
    from accelerate import Accelerator

T = TypeVar("T")

_TIMEOUT = timedelta(days=1)  # of a wait for the first process, which may validate for long


class Processes:
    """What the processes of a training tell each other. Every method is called by all of them, or by none.

    Attributes:
        rank: the number of this one, from 0.
        count: how many there are.
        device: this one's.
    """

    def __init__(self, device: torch.device, accelerator: Accelerator | None = None) -> None:
        self._accelerator = accelerator
        self.rank: int = 0 if accelerator is None else accelerator.process_index
        self.count: int = 1 if accelerator is None else accelerator.num_processes
        self.device = device if accelerator is None else accelerator.device

    @property
    def first(self) -> bool:
        """Is this the one that validates, logs and saves?"""
        return self.rank == 0

    def share(self, items: Sequence[T]) -> list[T]:
        """Of what belongs to all, what is this one's to do: every ``count``-th; perhaps nothing."""
        return list(items[self.rank :: self.count])

    def add(self, *numbers: float) -> list[float]:
        """The sum of each number over all processes."""
        if self._accelerator is None:
            return list(numbers)
        with explain_lost_process():
            tensor = torch.tensor(numbers, dtype=torch.float64, device=self.device)
            sums: list[float] = self._accelerator.reduce(tensor, "sum").tolist()
        return sums

    def numbers_of_first(self, *numbers: float) -> list[float]:
        """The first process' numbers."""
        return self.add(*(number if self.first else 0.0 for number in numbers))

    def highest(self, number: int) -> int:
        """The highest of the numbers of all processes."""
        if self._accelerator is None:
            return number
        with explain_lost_process():
            return int(self._accelerator.gather(torch.tensor([number], device=self.device)).max())

    def from_first(self, value: T) -> T:
        """The first process' value."""
        return self.all(value)[0]

    def all(self, value: T) -> list[T]:
        """The value of each process, in their order."""
        if self._accelerator is None:
            return [value]
        from accelerate.utils import gather_object

        with explain_lost_process():
            values: list[T] = gather_object([value])
        return values

    def wait(self) -> None:
        """Until all are here."""
        self.highest(0)

    def join(self, module: nn.Module, optimizer: torch.optim.Optimizer, sharded: bool) -> nn.Module:
        """``module`` as one of as many copies, whose gradients its backward pass averages.

        Args:
            optimizer: of its parameters.
            sharded: keep a part of the gradients and of what the optimizer needs, see :mod:`.sharding`.
        """
        if self._accelerator is None:
            return module
        if sharded:
            with explain_lost_process():
                return sharding.shard(module, optimizer, self.device, self.count)
        with warnings.catch_warnings(), explain_lost_process():
            warnings.simplefilter("ignore", FutureWarning)  # torch renames an option that accelerate does not know yet
            joined: nn.Module = self._accelerator.prepare_model(module)
        return joined

    def apart(self, module: nn.Module) -> AbstractContextManager[None]:
        """Within it, gradients of the joined ``module`` stay this process' own and add up."""
        if self._accelerator is None:
            return nullcontext()
        return sharding.apart(module) if sharding.is_sharded(module) else self._accelerator.no_sync(module)


def start_processes(device: str) -> Processes:
    """Meet the other processes of this job, where a launcher started any.

    Args:
        device: the device, or its kind where there are several processes: each then takes the one of its number.

    Raises:
        UserError: the device does not exist, or accelerate is not installed.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return Processes(check_device(device))
    try:
        from accelerate import Accelerator
        from accelerate.utils import DistributedDataParallelKwargs, InitProcessGroupKwargs
    except ImportError:
        raise UserError(
            "training with several processes needs the package accelerate: pip install 'seq2seq_kit[train]'"
        ) from None
    handlers = [
        InitProcessGroupKwargs(timeout=_TIMEOUT),
        DistributedDataParallelKwargs(broadcast_buffers=False),
    ]
    with warnings.catch_warnings(), explain_lost_process():
        warnings.simplefilter("ignore")  # about the number of threads, which it then chooses well
        accelerator = Accelerator(cpu=device == "cpu", mixed_precision="no", kwargs_handlers=handlers)
    if not accelerator.distributed_type.startswith("MULTI_"):
        raise UserError(
            f"the launcher asks for {accelerator.distributed_type.value}, which is not used here: leave its settings "
            "away, and set training.sharding=fsdp to share weights and optimizer state out"
        )
    if accelerator.device.type != device.partition(":")[0]:
        raise UserError(f"device {device!r} cannot be used here: the launcher gave this process {accelerator.device}")
    if accelerator.process_index:
        logging.getLogger("seq2seq_kit").setLevel(logging.ERROR)  # the first says it for all
    return Processes(accelerator.device, accelerator)


@contextmanager
def explain_lost_process() -> Iterator[None]:
    """Say that another process is gone, where that is why this one's call failed."""
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, torch.distributed.DistError) and "onnection" not in str(error):
            raise
        rank = os.environ.get("RANK", "0")
        raise UserError(
            f"process {rank} has lost another process of this training: that one failed, or was killed (for instance "
            "for want of memory); what it wrote says why. Continue with the same launcher and s2s train --resume RUN"
        ) from error
