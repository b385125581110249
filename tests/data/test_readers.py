"""Reading data files: every format, and a sentence with file and line for everything that can be wrong with one."""

from __future__ import annotations

import gzip
import json
import logging
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seq2seq_kit.data import phrasebook
from seq2seq_kit.data.readers import Examples
from seq2seq_kit.errors import DataError

PAIRS = [("How are you?", "Comment vas-tu ?"), ('He said "no".', "Il a dit « non »."), (" a  b ", "l'été\u00a0!")]


def write(path: Path, content: str | bytes) -> str:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


def tsv(pairs: list[tuple[str, str]]) -> str:
    return "".join(f"{source}\t{target}\n" for source, target in pairs)


def jsonl(pairs: list[tuple[str, str]]) -> str:
    return "".join(json.dumps({"source": source, "target": target}) + "\n" for source, target in pairs)


def pairs(examples: Examples) -> list[tuple[str, str | None]]:
    return [(example.source, example.target) for example in examples]


@pytest.mark.parametrize(("name", "content"), [("a.tsv", tsv(PAIRS)), ("a.txt", tsv(PAIRS)), ("a.jsonl", jsonl(PAIRS))])
@pytest.mark.parametrize("packed", [False, True])
def test_files_of_pairs(tmp_path: Path, name: str, content: str, packed: bool) -> None:
    data = content.encode()
    path = write(tmp_path / (f"{name}.gz" if packed else name), gzip.compress(data) if packed else data)
    assert pairs(Examples([path])) == PAIRS


@pytest.mark.parametrize("packed", [False, True])
def test_parallel_files(tmp_path: Path, packed: bool) -> None:
    sides = ["".join(f"{pair[side]}\n" for pair in PAIRS).encode() for side in (0, 1)]
    source = write(tmp_path / "a.en", gzip.compress(sides[0]) if packed else sides[0])
    target = write(tmp_path / "a.fr", sides[1])
    assert pairs(Examples([source, target])) == PAIRS


def test_reverse_swaps_columns_and_files(tmp_path: Path) -> None:
    swapped = [(target, source) for source, target in PAIRS]
    assert pairs(Examples([write(tmp_path / "a.tsv", tsv(PAIRS))], reverse=True)) == swapped
    sides = [write(tmp_path / f"a.{side}", "".join(f"{pair[side]}\n" for pair in PAIRS)) for side in (0, 1)]
    assert pairs(Examples(sides, reverse=True)) == swapped


def test_reverse_is_refused_for_named_fields(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", jsonl(PAIRS))
    with pytest.raises(DataError, match=r"a\.jsonl: .*source_field: fr and target_field: en"):
        Examples([path], source_field="en", target_field="fr", reverse=True)


def test_gzip_is_known_by_its_content_not_its_name(tmp_path: Path) -> None:
    assert pairs(Examples([write(tmp_path / "a.tsv", gzip.compress(b"a\tb\n"))])) == [("a", "b")]
    assert pairs(Examples([write(tmp_path / "b.tsv.gz", b"a\tb\n")])) == [("a", "b")]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(
        st.tuples(*[st.text(st.characters(exclude_characters="\0\t\n\r", codec="utf-8"), min_size=1)] * 2).filter(
            lambda pair: all(side.strip() for side in pair) and not pair[0].startswith("\ufeff")
        ),
        min_size=1,
    )
)
def test_text_is_kept_as_it_is(tmp_path: Path, pairs_: list[tuple[str, str]]) -> None:
    """Quotes, blanks, no-break spaces, Unicode's other line ends: only tab and newline mean something."""
    assert pairs(Examples([write(tmp_path / "a.tsv", tsv(pairs_))])) == pairs_
    assert pairs(Examples([write(tmp_path / "a.jsonl", jsonl(pairs_))])) == pairs_


def test_line_ends_and_byte_order_mark_are_dropped(tmp_path: Path) -> None:
    assert pairs(Examples([write(tmp_path / "a.tsv", "\ufeffa\tb\r\nc\td")])) == [("a", "b"), ("c", "d")]


def test_ids_are_line_numbers(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", "a\tb\n\nc\td\n")
    assert [example.id for example in Examples([path], "skip")] == [1, 3]


def test_jsonl_fields_can_be_named_and_references_given(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"body": "b", "subject": "s", "references": ["t", "u"], "year": 2019}\n')
    [example] = Examples([path], source_field="body", target_field="subject")
    assert (example.source, example.target, example.references) == ("b", "s", ["t", "u"])


@pytest.mark.parametrize("split", phrasebook.SPLITS)
def test_the_phrasebook_has_a_name(split: str) -> None:
    example = next(Examples([f"phrasebook:{split}"]))
    assert example.source and example.target


MALFORMED = [
    ("a.tsv", b"one column", "1 column", "has 1 column, must have 2"),
    ("a.tsv", b"a\tb\tc", "3 columns", "has 3 columns, must have 2"),
    ("a.tsv", b"", "empty line", "is empty"),
    ("a.tsv", b"\tb", "empty source", "has an empty source"),
    ("a.tsv", b"a\t  ", "empty target", "has an empty target"),
    ("a.tsv", b"a\xff\tb", "invalid UTF-8", "is not valid UTF-8 (byte 2)"),
    ("a.jsonl", b'{"source": "a"', "invalid JSON", "is not valid JSON"),
    ("a.jsonl", b"[" * 100_000, "invalid JSON", "cannot be read as JSON"),
    ("a.jsonl", b'{"source": "a", "target": ' + b"9" * 5000 + b"}", "invalid JSON", "cannot be read as JSON"),
    ("a.jsonl", b"[1, 2]", "not a JSON object", "must be a JSON object, is a list"),
    ("a.jsonl", b'{"source": "a", "traget": "b"}', "no field 'target'", "(there is: 'source', 'traget')"),
    ("a.jsonl", b'{"source": "a", "target": 3}', "wrong type", "its 'target' must be text, is 3"),
    ("a.jsonl", b'{"source": "a", "target": null}', "wrong type", "its 'target' must be text, is null"),
    ("a.jsonl", b'{"source": "a", "target": "b", "references": "c"}', "wrong type", "must be a list"),
    ("a.jsonl", b'{"source": "a", "target": "b", "references": [1]}', "wrong type", "its 'references' must be text"),
    ("a.jsonl", b'{"source": "\\ud800", "target": "b"}', "invalid Unicode", "half of a surrogate pair"),
    ("a.jsonl", b'{"source": "", "target": "b"}', "empty source", "has an empty source"),
]


@pytest.mark.parametrize(("name", "line", "kind", "message"), MALFORMED)
def test_a_malformed_line_stops_with_file_and_line(
    tmp_path: Path, name: str, line: bytes, kind: str, message: str
) -> None:
    good = b"a\tb\n" if name.endswith("tsv") else b'{"source": "a", "target": "b"}\n'
    path = write(tmp_path / name, good + line + b"\n" + good)
    examples = Examples([path])
    assert next(examples).source == "a"
    with pytest.raises(DataError) as error:
        next(examples)
    assert str(error.value).startswith(f"{path}, line 2: ")
    assert message in str(error.value)


@pytest.mark.parametrize(("name", "line", "kind", "message"), MALFORMED)
def test_or_is_skipped_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, line: bytes, kind: str, message: str
) -> None:
    good = b"a\tb\n" if name.endswith("tsv") else b'{"source": "a", "target": "b"}\n'
    path = write(tmp_path / name, good + line + b"\n" + good)
    examples = Examples([path], "skip")
    with caplog.at_level(logging.WARNING):
        assert len(list(examples)) == examples.report.examples == 2
    assert examples.report.skipped == {kind: 1}
    assert examples.report.lines == [2]
    assert f"{path}: skipped 1 malformed line (1 × {kind}): line 2" in caplog.text


def test_a_report_lists_the_first_few_lines(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", "a\tb\n" + "x\n" * 1200 + "\n")
    examples = Examples([path], "skip")
    list(examples)
    kinds = "1,200 × 1 column, 1 × empty line"
    assert str(examples.report) == f"{path}: skipped 1,201 malformed lines ({kinds}): line 2, 3, 4, 5, 6, …"


@pytest.mark.parametrize("on_error", ["stop", "skip"])
@pytest.mark.parametrize("lines", [(3, 2), (2, 5), (1, 0)])
def test_parallel_files_of_different_length_are_refused(tmp_path: Path, lines: tuple[int, int], on_error: str) -> None:
    source, target = (write(tmp_path / f"a.{side}", "x\n" * n) for side, n in zip(("en", "fr"), lines, strict=True))
    with pytest.raises(DataError) as error:
        list(Examples([source, target], on_error))  # type: ignore[arg-type]
    assert f"{source} has {lines[0]}" in str(error.value) and f"{target} has {lines[1]}" in str(error.value)


def test_a_bad_line_of_parallel_files_names_the_side(tmp_path: Path) -> None:
    source, target = write(tmp_path / "a.en", "a\nb\nc\n"), write(tmp_path / "a.fr", b"a\n\xe9\nc\n")
    with pytest.raises(DataError, match=r"line 2: in .*a\.fr is not valid UTF-8"):
        list(Examples([source, target]))
    assert pairs(Examples([source, target], "skip")) == [("a", "a"), ("c", "c")]


@pytest.mark.parametrize("on_error", ["stop", "skip"])
@pytest.mark.parametrize("content", [b"", gzip.compress(b"")], ids=["nothing", "nothing packed"])
def test_an_empty_file_is_an_error(tmp_path: Path, content: bytes, on_error: str) -> None:
    path = write(tmp_path / "a.tsv", content)
    with pytest.raises(DataError, match=r"a\.tsv: is empty"):
        list(Examples([path], on_error))  # type: ignore[arg-type]


def test_a_file_of_nothing_but_malformed_lines_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"skipped 2 malformed lines .* there is no usable example"):
        list(Examples([write(tmp_path / "a.tsv", "a\nb\n")], "skip"))


@pytest.mark.parametrize("keep", [0.3, 0.9])
def test_a_damaged_gzip_file_is_named(tmp_path: Path, keep: float) -> None:
    packed = gzip.compress("".join(f"source {i}\ttarget {i * i}\n" for i in range(2000)).encode())
    path = write(tmp_path / "a.tsv.gz", packed[: int(len(packed) * keep)])
    with pytest.raises(DataError, match=r"a\.tsv\.gz: is damaged after line \d+"):
        list(Examples([path], "skip"))


def test_a_changed_gzip_file_is_named(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress("".join(f"source {i}\ttarget {i * i}\n" for i in range(2000)).encode()))
    packed[len(packed) // 2] ^= 16
    with pytest.raises(DataError, match="is damaged"):
        list(Examples([write(tmp_path / "a.tsv.gz", bytes(packed))], "skip"))


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.tsv: there is no such file"):
        Examples([str(tmp_path / "nowhere.tsv")])
    with pytest.raises(DataError, match="is a folder"):
        Examples([str(tmp_path)])
    with pytest.raises(DataError, match=r"phrasebook:tran: .*train"):
        Examples(["phrasebook:tran"])
    with pytest.raises(DataError, match="one data file, or two parallel ones"):
        Examples(["a", "b", "c"])


@pytest.mark.parametrize("name", ["b.tsv", "b.jsonl.gz"])
def test_two_files_of_pairs_are_not_parallel_text(tmp_path: Path, name: str) -> None:
    first, second = write(tmp_path / "a.tsv", "a\tb\n"), write(tmp_path / name, "a\tb\n")
    with pytest.raises(DataError, match="holds pairs"):
        Examples([first, second])


def test_reading_is_lazy(tmp_path: Path) -> None:
    """The first example is there before the file's end is looked at."""
    path = write(tmp_path / "a.tsv", b"a\tb\n" * 100_000 + b"\xff\n")
    assert next(Examples([path])).source == "a"


def test_targets_alone_are_lines_columns_or_fields(tmp_path: Path) -> None:
    def targets(name: str, text: str, **more: Any) -> list[tuple[Any, str, str | None]]:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return [(e.id, e.source, e.target) for e in Examples([str(path)], targets_only=True, **more)]

    assert targets("a.txt", "one\ttwo\n\n three\n") == [(1, "", "one\ttwo"), (3, "", " three")]
    assert targets("a.tsv", "one\tun\n") == [(1, "", "un")]
    assert targets("a.tsv", "one\tun\n", reverse=True) == [(1, "", "one")]
    assert targets("a.jsonl", '{"text": "un"}\n', target_field="text") == [(1, "", "un")]
    assert next(Examples(["phrasebook:dev"], targets_only=True)).target
    with pytest.raises(DataError, match="line 1: has an empty target"):
        targets("a.tsv", "one\t \n")
    with pytest.raises(DataError, match="is empty: it holds no example"):
        targets("a.txt", "\n\n")
    with pytest.raises(DataError, match="give one file of texts, not 2"):
        Examples(["a", "b"], targets_only=True)


def test_parquet_and_fields_within_fields(tmp_path: Path) -> None:
    rows = [{"text": {"en": source, "fr": target}, "lang": "fr", "n": i} for i, (source, target) in enumerate(PAIRS)]
    path = str(tmp_path / "a.parquet")
    pq.write_table(pa.Table.from_pylist(rows), path)
    read = list(Examples([path], source_field="text.en", target_field="text.fr", extra_fields=["lang"]))
    assert [(e.source, e.target, e.id) for e in read] == [(s, t, i) for i, (s, t) in enumerate(PAIRS, 1)]
    assert all(e.extras == {"lang": "fr"} for e in read)


def test_a_damaged_or_unfit_parquet_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.Table.from_pylist([{"source": "a", "traget": "b"}]), path)
    with pytest.raises(DataError, match=r"a\.parquet, row 1: has no field 'target' \(there is: 'source', 'traget'\)"):
        list(Examples([str(path)]))
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match=r"a\.parquet: cannot be read as Parquet"):
        list(Examples([str(path)]))
    with pytest.raises(DataError, match="'reverse' swaps columns"):
        Examples([str(path)], reverse=True)
    with pytest.raises(DataError, match=r"missing\.parquet: there is no such file"):
        Examples([str(tmp_path / "missing.parquet")])


def test_a_data_set_folder_and_its_splits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    folder = tmp_path / "set"
    folder.mkdir()
    write(folder / "train.jsonl", jsonl(PAIRS))
    write(folder / "validation.jsonl", jsonl(PAIRS[:1]))
    assert pairs(Examples([f"hf:{folder}"])) == PAIRS
    assert pairs(Examples([f"hf:{folder}:train[1:]"])) == PAIRS[1:]
    assert pairs(Examples([f"hf:{folder}:validation"])) == PAIRS[:1]
    for name in (f"hf:{folder}:nosplit", f"hf:{tmp_path}/nowhere"):
        with pytest.raises(DataError, match=f"{name}: cannot be loaded: "):
            Examples([name])
    with pytest.raises(DataError, match="write hf:NAME"):
        Examples(["hf:"])


def test_further_fields_of_json_lines_are_kept_if_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"source": "a", "target": "b", "lang": "fr", "year": 2019}\n')
    [example] = Examples([path], extra_fields=["lang"])
    assert example.extras == {"lang": "fr"}
    with pytest.raises(DataError, match="line 1: has no field 'score'"):
        list(Examples([path], extra_fields=["score"]))
