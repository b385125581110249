"""Sealed files: whole or not at all, and no bit changes unnoticed."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest
import torch

from seq2seq_kit import sealed
from seq2seq_kit.errors import CheckpointError

TENSORS = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor([True, False]), "empty": torch.zeros(0, 3)}
FACTS = {"step": 7, "metrics": {"bleu": 12.25, "note": 'quotes "sha256":"0" and é'}}


def write(path: Path) -> None:
    if path.suffix == ".json":
        sealed.write_json(path, {"format": 1, "config": {"name": "é", "values": [1, 2.5, None]}})
    else:
        sealed.write_tensors(path, TENSORS, FACTS)


def read(path: Path) -> object:
    return sealed.read_json(path) if path.suffix == ".json" else sealed.read_tensors(path)


def test_tensors_and_facts_come_back_exactly(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    sealed.write_tensors(path, {**TENSORS, "transposed": TENSORS["a"].T}, FACTS)
    tensors, facts = sealed.read_tensors(path)
    assert facts == FACTS
    assert set(tensors) == {*TENSORS, "transposed"}
    for name, tensor in TENSORS.items():
        assert torch.equal(tensors[name], tensor) and tensors[name].dtype == tensor.dtype
    assert torch.equal(tensors["transposed"], TENSORS["a"].T)


def test_tensors_are_read_where_there_is_a_place_for_them(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    kinds = [torch.float64, torch.float16, torch.bfloat16, torch.int8, torch.int64, torch.uint8, torch.complex64]
    more = {str(kind): torch.arange(3).to(kind) for kind in kinds} | {"number": torch.tensor(2.5)}
    sealed.write_tensors(path, {**TENSORS, **more}, FACTS)
    places = {name: torch.zeros_like(tensor) for name, tensor in (TENSORS | more).items()}
    places["wide"] = torch.zeros(2, 3)
    tensors, facts = sealed.read_tensors(path, places)
    assert facts == FACTS and tensors.keys() == TENSORS.keys() | more.keys()
    for name, tensor in (TENSORS | more).items():
        assert torch.equal(tensors[name], tensor) and tensors[name].dtype == tensor.dtype
        assert torch.equal(places[name], tensor) and tensors[name].data_ptr() == places[name].data_ptr()
    for unlike in (torch.zeros(3, 2).T, torch.zeros(3, 2), torch.zeros(2, 3).double()):
        assert torch.equal(sealed.read_tensors(path, {"a": unlike})[0]["a"], TENSORS["a"]) and not unlike.any()


def test_some_are_read_by_the_start_of_their_names(tmp_path: Path) -> None:
    path, place = tmp_path / "x.safetensors", torch.zeros(2, 3)
    sealed.write_tensors(path, {"model.a": TENSORS["a"], "model.b": TENSORS["b"], "a": torch.ones(2)}, FACTS)
    tensors, _ = sealed.read_tensors(path, {"a": place}, "model.")
    assert tensors.keys() == {"a", "b"} and torch.equal(place, TENSORS["a"])


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}, r"\[2\] cannot lie at 0:4 of 8 bytes"),
        ({"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}, "cannot lie at 0:16 of 8 bytes"),
        ({"dtype": "F4", "shape": [2], "data_offsets": [0, 8]}, "F4"),
        ({"dtype": "F32", "shape": 2, "data_offsets": [0, 8]}, "not a checkpoint of this kit"),
        ([], "not a checkpoint of this kit"),
    ],
    ids=["short", "long", "type", "shape", "list"],
)
def test_a_header_that_tells_tales_is_refused(tmp_path: Path, entry: object, message: str) -> None:
    header = bytearray(json.dumps({"__metadata__": {"sha256": "0" * 64}, "a": entry}).encode())
    data = bytearray(len(header).to_bytes(8, "little")) + header + bytes(8)
    path = tmp_path / "x.safetensors"
    path.write_bytes(sealed._seal(data, len(data)))
    with pytest.raises(CheckpointError, match=message):
        sealed.read_tensors(path)


def test_the_same_content_makes_the_same_file(tmp_path: Path) -> None:
    for number in range(5):
        sealed.write_tensors(tmp_path / f"{number}.safetensors", TENSORS, {**FACTS, "a": 1, "z": 2})
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1


def test_any_safetensors_reader_can_open_them(tmp_path: Path) -> None:
    from safetensors.torch import load_file

    write(tmp_path / "x.safetensors")
    assert torch.equal(load_file(tmp_path / "x.safetensors")["a"], TENSORS["a"])


def test_json_comes_back_and_is_readable(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    write(path)
    assert sealed.read_json(path) == {"format": 1, "config": {"name": "é", "values": [1, 2.5, None]}}
    assert '"name": "é"' in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["x.json", "x.safetensors"])
def test_every_single_bit_flip_is_noticed(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write(path)
    good = path.read_bytes()
    for position in range(len(good)):
        for bit in range(8):
            bad = bytearray(good)
            bad[position] ^= 1 << bit
            path.write_bytes(bad)
            with pytest.raises(CheckpointError, match=name):
                read(path)


@pytest.mark.parametrize("name", ["x.json", "x.safetensors"])
def test_every_truncation_is_noticed(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write(path)
    good = path.read_bytes()
    for length in range(len(good) - (1 if name == "x.json" else 0)):
        path.write_bytes(good[:length])
        with pytest.raises(CheckpointError, match=name):
            read(path)


@pytest.mark.parametrize("name", ["x.json", "x.safetensors"])
@pytest.mark.parametrize("step", ["write", "fsync", "replace"])
def test_a_full_disk_keeps_the_old_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, step: str
) -> None:
    path = tmp_path / name
    write(path)
    before = path.read_bytes()

    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if step == "write":

        class FullFile:
            def __init__(self, file: object) -> None:
                self.file = file

            def __enter__(self) -> FullFile:
                return self

            def __exit__(self, *error: object) -> None:
                self.file.close()

            def write(self, data: bytes) -> None:
                self.file.write(data[: len(data) // 2])
                full()

        real_open = Path.open
        monkeypatch.setattr(Path, "open", lambda self, mode="r": FullFile(real_open(self, mode)))
    else:
        monkeypatch.setattr(sealed.os, step, full)
    with pytest.raises(CheckpointError, match=rf"{name}: cannot be written: No space left .* unchanged"):
        write(path)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == [name]


def test_missing_file_and_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"none\.json: there is no such file"):
        sealed.read_json(tmp_path / "none.json")
    with pytest.raises(CheckpointError, match="cannot be read"):
        sealed.read_tensors(tmp_path)
    with pytest.raises(CheckpointError, match=r"cannot be written: No such file"):
        sealed.write_json(tmp_path / "none" / "x.json", {})


def test_a_foreign_safetensors_file_is_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file(TENSORS, tmp_path / "x.safetensors")
    with pytest.raises(CheckpointError, match="not written by this kit"):
        sealed.read_tensors(tmp_path / "x.safetensors")
