"""The benchmark of decoding on a GPU, as far as it runs without one."""

from __future__ import annotations

import pytest
import torch

from benchmarks import decode_device
from benchmarks.support.harness import Options

TINY = {"size": 8, "layers": 1, "heads": 2, "feed_forward_size": 8}


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_it_says_that_it_needs_a_gpu() -> None:
    with pytest.raises(SystemExit, match="needs a CUDA device"):
        decode_device.run(Options())


def test_a_case_is_measured_beside_the_weights_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode_device, "hugging_face_model", lambda *_: None)
    options, case = Options(rounds=2, seconds=0.0), "base, batch 1, beam 5"
    result = decode_device.measured([case], options, torch.device("cpu"), TINY, 50)
    assert [row.system for row in result.rows] == [decode_device.KIT, decode_device.LAUNCHED, "limit, weights read"]
    assert all(sample > 0 for row in result.rows for sample in row.samples)
    assert [(each.ours, each.theirs) for each in result.ratios] == [(decode_device.KIT, decode_device.LAUNCHED)]


def test_every_output_has_as_many_tokens_as_are_counted() -> None:
    model = decode_device.kit_model(torch.device("cpu"), TINY, 50)
    source = torch.randint(4, 50, (3, decode_device.SOURCE_LENGTH))
    for beams in (1, 5):
        found = decode_device.kit_decode(model, source, beams, recorded=True)
        assert [len(sentence[0].tokens) for sentence in found] == [decode_device.TARGET_LENGTH] * 3
