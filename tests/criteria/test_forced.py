"""A teacher-forced pass: attention is asked for where it is read."""

from __future__ import annotations

from tiny_models import member, tiny_batch
from torch import nn

from seq2seq_kit.criteria.forced import teacher_force


def test_attention_is_asked_for_only_where_it_is_read() -> None:
    model, told = member("gru", "gru", "bahdanau").train(), []

    def watch(module: nn.Module, inputs: object) -> None:
        told.append(model.decoder.attention_wanted)

    model.decoder.register_forward_pre_hook(watch)
    teacher_force(model, tiny_batch())
    teacher_force(model, tiny_batch(), attention=True)
    assert told == [False, True]
    assert model.decoder.attention_wanted  # as it was


def test_another_pass_can_be_fed_the_same() -> None:
    model, batch = member("gru", "gru", "bahdanau").train(), tiny_batch()
    first = teacher_force(model, batch, 0.5)
    assert teacher_force(model, batch, prefix=first.prefix).prefix is first.prefix
    assert (first.prefix[:, 0] == model.target.bos_id).all()
