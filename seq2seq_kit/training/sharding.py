"""``training.sharding``: each process keeps a part of the weights and of the optimizer's state, and updates that.

This is fully sharded data parallelism (FSDP; Zhao et al. 2023, "PyTorch FSDP"; Rajbhandari et al. 2020, "ZeRO") by
``torch.distributed.fsdp.fully_shard``, with the whole learner as one unit, so that it holds for any component and any
criterion. Between updates the weights are whole in every process: all that validates, saves or watches a model knows
nothing of its parts. An optimizer step changes the parts; then they are gathered.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.graph import increment_version
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from seq2seq_kit.console import stderr
from seq2seq_kit.errors import ConfigError


def shard(module: nn.Module, optimizer: torch.optim.Optimizer, device: torch.device, count: int) -> nn.Module:
    """Leave each of ``count`` processes, which call this together, its part of the optimizer's parameters and state.

    Args:
        module: equal in all processes; is changed, and left whole.
        optimizer: of the parameters of ``module``, its state equal in all processes.
    """
    names = {parameter: name for name, parameter in module.named_parameters()}
    sharded = fully_shard(module, mesh=init_device_mesh(device.type, (count,)), reshard_after_forward=False)
    sharded.set_reduce_scatter_unused_params(True)  # a process may have no batch, or drop a layer
    parts = dict(module.named_parameters())
    for group in optimizer.param_groups:
        group["fused"] = group["fused"] and not isinstance(optimizer, torch.optim.SGD)  # which torch has not for parts
        for i, parameter in enumerate(group["params"]):
            part = group["params"][i] = cast(DTensor, parts[names[parameter]])
            if state := optimizer.state.pop(parameter, None):
                optimizer.state[part] = {key: _part(value, part) for key, value in state.items()}
    sharded.unshard()
    _keep_whole_in_state_dict(sharded)
    learned = [part for group in optimizer.param_groups for part in group["params"]]
    kept, numbers = sum(local(part).numel() for part in learned), sum(part.numel() for part in learned)
    line = f"training.sharding: the first of {count} processes updates {kept:,} of {numbers:,} numbers"
    stderr().print(line, highlight=False, soft_wrap=True)
    return module


def check_shardable(module: nn.Module) -> None:
    """Refuse what cannot be cut along its first dimension; raises :class:`ConfigError`."""
    for name, parameter in module.named_parameters():
        if parameter.dim() == 0:
            raise ConfigError(
                f"training.sharding: the parameter {name} is a single number without a dimension, which fsdp cannot "
                "shard: its author can give it the shape [1], or train without sharding"
            )


def is_sharded(module: nn.Module) -> bool:
    """Is the module one that :func:`shard` has changed?"""
    return isinstance(module, FSDPModule)


def gather(module: nn.Module) -> None:
    """After an optimizer step: make a sharded module's weights whole again; all processes call this together."""
    if isinstance(module, FSDPModule):
        module.unshard()
        increment_version(list(module.parameters()))  # what keeps something by a weight's version sees that it changed


@contextmanager
def apart(module: nn.Module) -> Iterator[None]:
    """Within it, gradients of a sharded module stay this process' own and add up, and its weights stay whole."""
    assert isinstance(module, FSDPModule)
    module.set_requires_gradient_sync(False)
    module.set_reshard_after_backward(False)
    try:
        yield
    finally:
        module.set_requires_gradient_sync(True)
        module.set_reshard_after_backward(True)


def local(tensor: Tensor) -> Tensor:
    """This process' part of a tensor; all of it, where it is not sharded."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def whole(tensor: Tensor) -> Tensor:
    """All of a tensor, on the CPU where it had to be gathered; all processes call this together."""
    return tensor.full_tensor().cpu() if isinstance(tensor, DTensor) else tensor


def _part(value: Any, parameter: DTensor) -> Any:
    """What of a value in the optimizer's state goes with a part of a parameter: the same part, if it is as large."""
    if not isinstance(value, Tensor) or value.shape != parameter.shape:
        return value
    return distribute_tensor(value, parameter.device_mesh, parameter.placements, src_data_rank=None)


def _keep_whole_in_state_dict(module: FSDPModule) -> None:
    """``state_dict()`` would shard the weights again in the process that calls it, and others would wait for it."""
    for group in module._get_fsdp_state()._fsdp_param_groups:
        for handle in group._module_to_pre_save_state_dict_hook_handle.values():
            handle.remove()
