"""Where training takes its random numbers from: the seed, the step and the process, and nothing that came before.

So no generator has to be saved for a resumed run to be the same, and none is the same in two processes.
"""

from __future__ import annotations

import random

import numpy as np
import torch


def seed_generators(*numbers: int) -> None:
    """Seed the generators of Python and of torch, on all devices, by a function of ``numbers`` (each at least 0)."""
    for_python, for_torch = np.random.SeedSequence(numbers).generate_state(2, np.uint64).tolist()
    random.seed(for_python)
    torch.manual_seed(for_torch)
