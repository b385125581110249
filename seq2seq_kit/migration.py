"""Runs of a plugin's earlier releases: the component itself says how what was saved becomes what it reads now.

A class whose component's ``state_version`` was raised may have one or both of::

    @classmethod
    def migrate_config(cls, config, from_version):
        "The section of the configuration, as plain values, as it is written now."

    @classmethod
    def migrate_state(cls, state, from_version):
        "The saved tensors of one such module, by their names within it, as they are named and shaped now."

Both are given copies and return what takes their place. Where a version cannot be read any more they raise, best a
``UserError`` that says why.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from seq2seq_kit.errors import UserError
from seq2seq_kit.plugins import cause

if TYPE_CHECKING:
    from torch import Tensor, nn

CONFIG, STATE = "migrate_config", "migrate_state"


class NotMigrated(Exception):
    """A component could not be taken over from an earlier release; the message says why."""


def can_migrate(component: type) -> bool:
    """Does the class read what earlier state versions saved?"""
    return hasattr(component, CONFIG) or hasattr(component, STATE)


def migrates_state(component: type) -> bool:
    """Does the class name or shape its tensors in another way than an earlier release did?"""
    return hasattr(component, STATE)


def migrated_config(component: type, section: Mapping[str, Any], version: int) -> dict[str, Any]:
    """A section that was saved with an earlier state version, as the class writes it now."""
    given = copy.deepcopy(dict(section))
    return given if not hasattr(component, CONFIG) else _call(getattr(component, CONFIG), given, version)


def migrated_state(component: type, model: nn.Module, tensors: Mapping[str, Tensor], version: int) -> dict[str, Tensor]:
    """The tensors of a model, with those of each module of this class as it names and shapes them now.

    Args:
        model: as it is built now; its modules of the class say which tensors are whose.
        tensors: all that was saved. One that several modules share is there once, under its first name.
    """
    found = dict(tensors)
    if not migrates_state(component):
        return found
    for path, module in model.named_modules():
        if type(module) is component:
            prefix = f"{path}." if path else ""
            own = {name[len(prefix) :]: found.pop(name) for name in list(found) if name.startswith(prefix)}
            new = _call(getattr(component, STATE), own, version)
            found |= {f"{prefix}{name}": x for name, x in new.items()}
    return found


def _call(migrate: Callable[..., Any], given: dict[str, Any], version: int) -> dict[str, Any]:
    try:
        found = migrate(given, version)
    except UserError as error:
        raise NotMigrated(str(error)) from error
    except Exception as error:  # a stranger's code may raise anything
        raise NotMigrated(f"{migrate.__name__}: {cause(error)}") from error
    if not isinstance(found, Mapping):
        raise NotMigrated(f"{migrate.__name__} returns a {type(found).__name__}, not a mapping")
    return dict(found)
