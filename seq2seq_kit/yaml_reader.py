"""Reads YAML as its writer meant it: PyYAML's safe loader, with ``1e-3`` a number and a key given twice an error."""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Any

import yaml


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key.value!r} is given twice", key.start_mark
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep)


# YAML 1.1, which PyYAML follows, wants a dot and a signed exponent (1.0e+3); YAML 1.2, like everybody, does not.
_EXPONENT = re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$")
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _EXPONENT, list("-+0123456789"))

_MOST_VALUES = 100_000
"""A few lines of aliases of aliases can stand for more values than there is memory for."""


def read_yaml(text: str) -> Any:
    """The plain values (mappings, lists, text, numbers, …) in a YAML text; raises :class:`yaml.YAMLError`."""
    try:
        found = yaml.load(text, _Loader)
    except (ValueError, OverflowError, RecursionError) as error:  # the 45th of May; brackets a thousand deep
        raise yaml.YAMLError(str(error)) from None
    waiting, count = [found], 0
    while waiting:
        value, count = waiting.pop(), count + 1
        if count > _MOST_VALUES:
            raise yaml.YAMLError(f"holds more than {_MOST_VALUES:,} values, its aliases (*name) written out")
        waiting += value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return found
