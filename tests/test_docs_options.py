"""``docs/search-options.md`` is what the code makes it: the page cannot drift."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import fields, replace
from pathlib import Path
from types import ModuleType

import pytest

from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.decoding.search import check_options

ROOT = Path(__file__).parents[1]
CITATION = re.compile(r"[A-Z]\w+ (?:et al\.|and [A-Z]\w+) \d{4}")


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("search_options_page", ROOT / "build_tools/search_options_page.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def page(maker: ModuleType) -> str:
    made: str = maker.page()
    return made


def test_the_page_is_that_of_the_code(page: str, maker: ModuleType) -> None:
    assert maker.PAGE.read_text(encoding="utf-8") == page, "run `make docs`"


def test_every_option_is_told_with_an_example_that_does_something(page: str, maker: ModuleType) -> None:
    names = [field.name for field in fields(SearchOptions)]
    assert re.findall(r"^### (\w+)$", page, re.MULTILINE) == names == list(maker.EXAMPLES)
    for name, examples in maker.EXAMPLES.items():
        default = getattr(SearchOptions(), name)
        for example, _ in examples:
            options = replace(SearchOptions(), **maker.arguments(example))
            check_options(options)
            assert getattr(options, name) != default, example
    assert not re.search(r"only *$", page, re.MULTILINE)  # an option that no search heeds


def test_a_probe_tells_what_a_semantics_heeds(maker: ModuleType) -> None:
    assert maker.heeded("alternatives") == ["kit", "ct2"]
    assert maker.heeded("groups") == ["kit", "hf"]
    assert maker.probe({"top_k": 1}) == maker.probe({})  # nothing without sampling


def test_what_is_cited_is_listed_and_what_is_listed_is_cited(page: str, maker: ModuleType) -> None:
    text, _, references = page.partition("## References")
    assert set(CITATION.findall(text)) == set(CITATION.findall(references))


def test_the_struct_of_the_engine_has_the_same_fields_in_the_same_order() -> None:
    """Its defaults are compared in ``tests/decoding/test_search.py``, as they are compiled."""
    header = (ROOT / "csrc/include/seq2seq_kit/search_options.h").read_text(encoding="utf-8")
    struct = header.partition("struct SearchOptions {")[2].partition("///")[0]
    names = re.findall(r"(\w+)(?: = [^;]+)?;$", struct, re.MULTILINE)
    assert names == [field.name for field in fields(SearchOptions)]
