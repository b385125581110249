"""``docs/data.md``: its configurations are valid, its filter works, its tables name all there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from seq2seq_kit.config import validate
from seq2seq_kit.data.config import DataConfig
from seq2seq_kit.registry import registry
from seq2seq_kit.tasks.translation import Translation, TranslationConfig
from seq2seq_kit.training.corpus import load_corpus

PAGE = (Path(__file__).parents[1] / "docs" / "data.md").read_text(encoding="utf-8")


def test_its_configurations_are_valid() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) > 3
    for block in blocks:
        values = {"train": ["a.tsv"], "dev": ["b.tsv"], **yaml.safe_load(block)["data"]}
        validate(DataConfig, values, "docs/data.md")


def test_its_filter_works(tmp_path: Path) -> None:
    [code] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {"__name__": "page"}
    provided = registry()._provided.copy()
    try:
        exec(compile(code, "docs/data.md", "exec"), names)
        file = tmp_path / "a.tsv"
        file.write_text("see http://x\tvoir\nhello\tbonjour\n")
        config = validate(DataConfig, {"train": [str(file)], "dev": [str(file)], "filters": ["no_links"]}, "test")
        task = Translation(validate(TranslationConfig, {"source_tokenizer": "word"}, "test"))
        corpus = load_corpus(config, task, prepare=True)
        assert [row.count for row in corpus.report.rows] == [1, 0] and len(corpus.train) == 1
    finally:
        registry()._provided[:] = provided


def test_it_names_every_field_and_every_transform() -> None:
    for name in [*DataConfig.model_fields, *registry().names("transform")]:
        assert re.search(rf"\b{name}\b", PAGE), name
