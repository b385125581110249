"""Guided alignment: the formula, the file of alignments, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import TARGET, member, tiny_batch
from torch import Tensor

from seq2seq_kit.config import validate
from seq2seq_kit.criteria.cross_entropy import CrossEntropy, CrossEntropyConfig
from seq2seq_kit.criteria.guided_alignment import GuidedAlignment, GuidedAlignmentConfig
from seq2seq_kit.errors import ConfigError, DataError, UserError
from seq2seq_kit.interfaces import Batch

LINKS = {0: [(0, 0), (1, 0), (4, 4)], 1: [(2, 3)], 2: []}
"""For each sentence of the batch its (source, target) pairs."""


def criterion(**options: Any) -> GuidedAlignment:
    config = validate(GuidedAlignmentConfig, {"name": "guided_alignment", "weight": 0.5, **options}, "test")
    return GuidedAlignment(config, TARGET)


def batch() -> Batch:
    given = tiny_batch((5, 3, 4))
    given.ids = [2, 1, 4]  # lines of the file
    return given


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "train.align"
    lines = {2: LINKS[0], 1: LINKS[1], 3: [(9, 9)], 4: LINKS[2]}
    path.write_text("".join(" ".join(f"{s}-{t}" for s, t in lines[n]) + "\n" for n in range(1, 5)))
    return path


def expected_loss(attention: Tensor) -> Tensor:
    """Chen et al. 2016, the cross-entropy cost: sentence 0 has two sources for label 0, each with a half."""
    return -(attention[0, 0, :2].log().sum() / 2 + attention[0, 4, 4].log() + attention[1, 3, 2].log())


@pytest.mark.parametrize("source", ["file", "extras"])
def test_the_loss_is_the_cross_entropy_of_attention(source: str, file: Path) -> None:
    model, given = member("gru", "gru", "bahdanau").train(), batch()
    if source == "extras":
        links = torch.zeros(3, 5, 5)
        for row, pairs in LINKS.items():
            for s, t in pairs:
                links[row, t, s] = 0.3
        given.extras["alignment"] = links
    output = criterion(**({"alignments": str(file)} if source == "file" else {})).objective(model, given)
    scores, kind, decoded = model(given)
    assert decoded.attention is not None
    base = CrossEntropy(CrossEntropyConfig(), TARGET)(scores, kind, given.target, given.target_mask)
    total = base.loss + 0.5 * expected_loss(decoded.attention)
    torch.testing.assert_close(output.loss, total)
    assert output.nll == pytest.approx(base.nll.item())
    found = torch.autograd.grad(output.loss, list(model.parameters()), allow_unused=True)
    wanted = torch.autograd.grad(total, list(model.parameters()), allow_unused=True)
    for gradient, right in zip(found, wanted, strict=True):
        torch.testing.assert_close(gradient, right, atol=1e-5, rtol=1e-5)


def test_steps_turn_attention_to_where_it_should_look(file: Path) -> None:
    model, given = member("gru", "gru", "bahdanau").train(), batch()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    own = criterion(alignments=str(file))
    for _ in range(60):
        optimizer.zero_grad()
        own.objective(model, given).loss.backward()
        optimizer.step()
    attention = model(given)[2].attention
    assert attention is not None
    assert attention[0, 4, 4] > 0.8 and attention[1, 3, 2] > 0.8
    assert attention[0, 0, :2].min() > 0.3


def test_validation_has_no_alignments_of_a_file(file: Path) -> None:
    model, given = member("gru", "gru", "bahdanau").eval(), batch()
    given.ids = [99, 99, 99]
    output = criterion(alignments=str(file)).objective(model, given)
    torch.testing.assert_close(output.loss, output.nll)


@pytest.mark.parametrize(
    ("line", "ids", "message"),
    [
        ("0-0 x", [1, 2, 3], r"train\.align:1: 'x' is not a pair like 0-0"),
        ("0-0 7-1", [1, 2, 3], r"train\.align:1: 7-1 is beyond the example's 5 source and 5 target tokens"),
        ("0-0", [1, 2, 9], r"has 4 lines, and there is a training example 9"),
        ("0-0", [1, 2, "nine"], r"training example 'nine'"),
    ],
)
def test_alignments_that_do_not_fit_are_refused(file: Path, line: str, ids: list[Any], message: str) -> None:
    file.write_text("\n".join([line, "", "", ""]) + "\n")
    given = batch()
    given.ids = ids
    with pytest.raises(DataError, match=message):
        criterion(alignments=str(file)).objective(member("gru", "gru", "bahdanau").train(), given)


def test_what_cannot_be_taught_is_refused(file: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.align: cannot be read: No such file"):
        criterion(alignments=str(tmp_path / "none.align"))
    with pytest.raises(ConfigError, match="no attention to be taught"):
        criterion(alignments=str(file)).objective(member("gru", "gru", "none").train(), batch())
    with pytest.raises(UserError, match=r"criterion\.alignments names no file"):
        criterion().objective(member("gru", "gru", "bahdanau").train(), batch())
