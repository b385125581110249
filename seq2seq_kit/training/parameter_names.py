"""Parameters by patterns over their names."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from fnmatch import fnmatchcase

from torch import nn

from seq2seq_kit.errors import ConfigError


def matching(module: nn.Module, patterns: Sequence[str], field: str) -> dict[str, nn.Parameter]:
    """The parameters that any of ``patterns`` names.

    A pattern is the path of a parameter or of a module, whose parameters are then all meant, with the wildcards of a
    shell: ``decoder.embedding``, ``encoder.layers.0``, ``*.query.weight``. A ``*`` stands for dots, too.

    Args:
        field: the configuration's field with the patterns, for the message.

    Raises:
        ConfigError: a pattern matches nothing; the message names what comes nearest.
    """
    parameters = dict(module.named_parameters(remove_duplicate=False))  # a shared one by each of its names
    found: set[str] = set()
    for pattern in patterns:
        names = {name for name in parameters if any(fnmatchcase(path, pattern) for path in _paths(name))}
        if not names:
            paths = list(dict.fromkeys(path for name in parameters for path in _paths(name)))
            near = difflib.get_close_matches(pattern, paths, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ConfigError(
                f"training.{field}: no parameter matches {pattern!r}{hint} (the first ones are "
                f"{', '.join(list(parameters)[:3])}; s2s train CONFIG --dry-run lists all)"
            )
        found |= names
    return {name: parameter for name, parameter in parameters.items() if name in found}


def _paths(name: str) -> list[str]:
    """``a.b.weight`` -> ``a``, ``a.b`` and itself."""
    parts = name.split(".")
    return [".".join(parts[: end + 1]) for end in range(len(parts))]
