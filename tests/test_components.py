"""Declaring components."""

from __future__ import annotations

import collections
import re

import pytest

from seq2seq_kit.components import KINDS, RESERVED_VERBS, Component

GOOD = {"kind": "task", "name": "my_task-2", "target": "a.b:C"}


def test_targets_are_imported_on_first_use_only() -> None:
    assert Component("metric", "x", "no.such.module:X").name == "x"
    assert Component("metric", "x", "collections:OrderedDict").load() is collections.OrderedDict
    assert Component("metric", "x", dict).load() is dict
    assert Component("metric", "x", "a:B").load_config() is None


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"kind": "enocder"}, "unknown kind 'enocder'"),
        ({"name": "Mine"}, "lower-case"),
        ({"name": "my name"}, "lower-case"),
        ({"name": "é"}, "lower-case"),
        ({"name": ""}, "lower-case"),
        ({"target": "a.b.C"}, "target must be 'package.module:Class' or a class, got 'a.b.C'"),
        ({"target": ":C"}, "target must be"),
        ({"target": None}, "target must be"),
        ({"config": "a:b:c"}, "config must be"),
        ({"state_version": 0}, "state_version"),
        ({"state_version": "2"}, "state_version"),
        ({"kind": "encoder", "verb": "encode"}, "a verb is a task's"),
        ({"verb": "Do it"}, "a verb is a task's"),
        *(({"verb": verb}, "a command of s2s itself") for verb in RESERVED_VERBS),
    ],
)
def test_what_cannot_work_is_refused_when_declared(wrong: dict, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        Component(**{**GOOD, **wrong})


def test_the_kinds_are_those_of_the_design() -> None:
    assert len(KINDS) == len(set(KINDS)) == 12


def test_the_reserved_verbs_are_the_commands_that_belong_to_no_task() -> None:
    from seq2seq_kit.cli import application
    from seq2seq_kit.registry import registry

    verbs = {p.component.verb for p in registry().provided("task")}
    assert set(application().commands) - verbs == set(RESERVED_VERBS)
