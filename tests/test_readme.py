"""The plugin in the README works as it stands: it trains a step and decodes in the engine."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"

USE = """
import torch
import seq2seq_kit
from seq2seq_kit import Batch, SearchOptions
from seq2seq_kit.config import validate
from seq2seq_kit.interfaces import SourceSpec, TargetSpec
from seq2seq_kit.model import build_model
from seq2seq_kit.run_config import ModelConfig
from mine.plugin import register_components

for component in register_components():
    seq2seq_kit.register(component)
sections = {"encoder": {"name": "gru", "size": 8}, "decoder": {"name": "lstm", "size": 8, "attention": "gaussian"}}
model = build_model(validate(ModelConfig, sections, "README"), SourceSpec(9), TargetSpec(9))
source = torch.tensor([[4, 5, 6, 2], [7, 2, 0, 0]])
target = torch.tensor([[5, 6, 2], [8, 2, 0]])
batch = Batch(source, source != 0, target, target != 0)
scores, _, output = model(batch)
scores.logsumexp(-1).sum().backward()
assert output.attention.shape == (2, 3, 4)
assert output.attention[1, :, 2:].max() == 0, "weights on padding"
assert output.attention[0, 1].argmax() == 1, "the window moves"
with torch.no_grad():
    state = model.eval().decoder.init_state(model.encoder(batch), 2)
    options = SearchOptions(beam_size=3, min_length=2, max_length=5, attention=True)
    found = seq2seq_kit.search(model.decoder.step, state, options)
assert found[0][0].attention[1].argmax() == 1
print("decoded", len(found))
"""


def test_the_plugin_in_the_readme(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n# (mine/\w+\.py)[^\n]*\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert [name for name, _ in blocks] == ["mine/plugin.py", "mine/gaussian.py"]
    (tmp_path / "mine").mkdir()
    for name, code in blocks:
        (tmp_path / name).write_text(code, encoding="utf-8")
    done = subprocess.run([sys.executable, "-c", USE], cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "decoded 2\n"


def test_what_the_readme_links_to_is_there() -> None:
    for link in re.findall(r"\]\(([^)#:]+)\)", README.read_text(encoding="utf-8")):
        assert (README.parent / link).exists(), link
