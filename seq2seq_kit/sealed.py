"""Files that are written whole or not at all, and that know when they were damaged.

A sealed file holds, in its text part, ``"sha256": "<64 hex digits>"``: the digest of the whole file with those 64
digits as zeros. One changed bit anywhere is therefore noticed. The file is written beside its target and renamed
over it, so that a reader sees the old content or the new one, and a full disk costs nothing. torch is imported where
tensors are, and not before.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import safetensors

from seq2seq_kit.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor

_ZEROS = "0" * 64
_SEAL = re.compile(rb'"sha256":\s?"([0-9a-f]{64})"')
_LENGTH_BYTES = 8  # of the header's length, at the start of a safetensors file
_CHUNK = 2**20  # bytes of a file that are hashed at a time
_DTYPES = {
    **{"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "C64": "complex64"},
    **{"F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "BOOL": "bool", "U8": "uint8"},
    **{"I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8"},
}
"""torch's names of what safetensors calls so."""


@contextmanager
def explain_write_errors(path: Path) -> Iterator[None]:
    """Turn an ``OSError`` of the file system into a :class:`CheckpointError` that names the file and the cause."""
    try:
        yield
    except OSError as error:
        raise CheckpointError(f"{error.filename or path}: cannot be written: {error.strerror or error}") from error


def write_atomically(path: Path, data: bytes | bytearray) -> None:
    """Replace ``path`` by ``data`` in one step: the old content survives whatever happens before the last moment.

    Raises:
        CheckpointError: the file system refuses (disk full, no permission); ``path`` is as it was.
    """
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        with explain_write_errors(path):
            with temporary.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
            _sync_folder(path.parent)
    except CheckpointError as error:
        kept = "; the one from before is unchanged" if path.exists() else ""
        raise CheckpointError(f"{error}{kept}") from error.__cause__
    finally:
        temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make the rename itself survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write ``values`` as readable, sealed JSON."""
    text = json.dumps({**values, "sha256": _ZEROS}, indent=2, ensure_ascii=False) + "\n"
    data = bytearray(text.encode())
    write_atomically(path, _seal(data, len(data)))


def read_json(path: Path) -> dict[str, Any]:
    """Read what :func:`write_json` wrote; raises :class:`CheckpointError` where it is missing or damaged."""
    data = _read(path)
    try:
        values = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: is damaged: it is not valid JSON ({error})") from None
    if not isinstance(values, dict):
        raise CheckpointError(f"{path}: is damaged: it must hold a JSON object")
    _check_seal(path, data)
    del values["sha256"]
    return values


def write_tensors(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Write tensors, and JSON values beside them, as one sealed safetensors file.

    Args:
        facts: stored in the file's metadata, so that they can never disagree with the tensors.
    """
    import safetensors.torch

    metadata = {name: json.dumps(value) for name, value in facts.items()}
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    data = _with_sorted_header(safetensors.torch.save(contiguous, {**metadata, "sha256": _ZEROS}))
    write_atomically(path, _seal(data, _header_end(path, data, len(data))))


def _with_sorted_header(data: bytes) -> bytearray:
    """The same safetensors file, its header in sorted order: the library's order of metadata changes from call to call,
    and the same content should make the same file."""
    end = _LENGTH_BYTES + int.from_bytes(data[:_LENGTH_BYTES], "little")
    header = json.dumps(json.loads(data[_LENGTH_BYTES:end]), sort_keys=True).encode()
    header += b" " * (-len(header) % _LENGTH_BYTES)  # tensors start at a multiple of 8 bytes
    sorted_ = bytearray(len(header).to_bytes(_LENGTH_BYTES, "little") + header)
    sorted_ += memoryview(data)[end:]  # one copy of the tensors, and no more
    return sorted_


def read_tensors(
    path: Path, into: Mapping[str, Tensor] | None = None, prefix: str = ""
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors, on the CPU, and the facts of :func:`write_tensors`. Each is read into its place: there is no second
    copy of it.

    Args:
        into: tensors to be filled and returned in the place of new ones, by the names that are returned, where shape
            and type are those of the file. After an error they hold anything.
        prefix: read only the tensors whose names start so, and return them without it.

    Raises:
        CheckpointError: the file is missing, damaged, or not of this kit.
    """
    with _explain_read_errors(path), path.open("rb") as file:
        header, begin = _checked_header(path, file)
        size = file.tell() - begin
        headers, facts = _parsed(path, header)
        tensors = {}
        for name, one in headers.items():
            if not name.startswith(prefix):
                continue
            own = name[len(prefix) :]
            try:
                tensors[own] = _place(one, size, (into or {}).get(own))
                file.seek(begin + one.offsets[0])
                _fill(tensors[own], file)
            except (ValueError, KeyError, TypeError) as error:
                raise CheckpointError(f"{path}: is not a checkpoint of this kit: {name}: {error}") from None
    return tensors, facts


def _place(header: TensorHeader, size: int, given: Tensor | None) -> Tensor:
    """Where a tensor is read to: ``given``, where that is like it. ``size``: bytes of all tensors in the file."""
    import torch

    shape, dtype, (begin, end) = header.shape, getattr(torch, _DTYPES[header.dtype]), header.offsets
    if not 0 <= begin <= end <= size or end - begin != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"a tensor of {header.dtype} {[*shape]} cannot lie at {begin}:{end} of {size} bytes")
    if given is not None and given.is_cpu and given.is_contiguous() and (given.dtype, given.shape) == (dtype, shape):
        return given.detach()
    return torch.empty(shape, dtype=dtype)


def _fill(tensor: Tensor, file: BinaryIO) -> None:
    """Read as many bytes as the tensor has."""
    import torch

    rest = tensor.reshape(-1).view(torch.uint8).numpy().data
    while rest:
        count = file.readinto(rest)  # type: ignore[attr-defined]
        if not count:
            raise ValueError("it ends before its tensors do")
        rest = rest[count:]


@dataclass(frozen=True)
class TensorHeader:
    """What a file says of a tensor."""

    shape: tuple[int, ...]
    dtype: str
    """As safetensors names it: ``F32``, ``BF16``, ``I64``, …"""
    offsets: tuple[int, int]
    """Where its bytes begin and end, behind the header."""


def read_headers(path: Path) -> tuple[dict[str, TensorHeader], dict[str, Any]]:
    """What the tensors of :func:`write_tensors` are, in their order in the file, and the facts; without torch.

    Raises:
        CheckpointError: the file is missing or damaged, its tensors included.
    """
    with _explain_read_errors(path), path.open("rb") as file:
        return _parsed(path, _checked_header(path, file)[0])


def read_facts(path: Path) -> dict[str, Any]:
    """The facts of :func:`write_tensors`, read from the file's header alone: they are not checked.

    Raises:
        CheckpointError: the file is missing, or has no such header.
    """
    with _explain_read_errors(path), path.open("rb") as file:
        end = _header_end(path, file.read(_LENGTH_BYTES), os.fstat(file.fileno()).st_size)
        return _parsed(path, file.read(end - _LENGTH_BYTES))[1]


def _checked_header(path: Path, file: BinaryIO) -> tuple[bytes, int]:
    """The header of a safetensors file, and where it ends; the file is read to its end, and its digest compared."""
    length = file.read(_LENGTH_BYTES)
    end = _header_end(path, length, os.fstat(file.fileno()).st_size)
    header = file.read(end - _LENGTH_BYTES)
    _check_seal(path, length + header, iter(lambda: file.read(_CHUNK), b""))
    return header, end


def _parsed(path: Path, header: bytes) -> tuple[dict[str, TensorHeader], dict[str, Any]]:
    try:
        return _header(header)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path}: is not a checkpoint of this kit: {error}") from None


def _header(header: bytes) -> tuple[dict[str, TensorHeader], dict[str, Any]]:
    """Tensors and facts of the JSON at the start of a safetensors file."""
    values = json.loads(header)
    metadata = values.pop("__metadata__")
    facts = {name: json.loads(value) for name, value in metadata.items() if name != "sha256"}
    order = sorted(values.items(), key=lambda item: item[1]["data_offsets"])
    return {n: TensorHeader(tuple(x["shape"]), x["dtype"], tuple(x["data_offsets"])) for n, x in order}, facts


def digest(path: Path) -> str:
    """The SHA-256 of a whole file, in hex."""
    return hashlib.sha256(_read(path)).hexdigest()


def _read(path: Path) -> bytes:
    with _explain_read_errors(path):
        return path.read_bytes()


@contextmanager
def _explain_read_errors(path: Path) -> Iterator[None]:
    if path.exists() and not (path.is_file() or path.is_dir()):  # a pipe would wait for its writer
        raise CheckpointError(f"{path}: is not a file")
    try:
        yield
    except FileNotFoundError:
        raise CheckpointError(f"{path}: there is no such file") from None
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror}") from None


def _header_end(path: Path, start: bytes | bytearray, size: int) -> int:
    """Where the header of a safetensors file of ``size`` bytes ends: 8 bytes of length (little-endian), with which
    ``start`` begins, then so much JSON."""
    end = _LENGTH_BYTES + int.from_bytes(start[:_LENGTH_BYTES], "little")
    if size < _LENGTH_BYTES or end > size:
        raise CheckpointError(f"{path}: is damaged or truncated: its header does not fit into its {size} bytes")
    return end


def seal_of_tensors(path: Path) -> str:
    """The digest that :func:`write_tensors` put into a file, read from its header alone: it is not checked."""
    try:
        with safetensors.safe_open(path, "pt") as file:
            return str((file.metadata() or {})["sha256"])
    except (OSError, safetensors.SafetensorError, KeyError) as error:
        raise CheckpointError(f"{path}: cannot be read: {error}") from None


def _seal(data: bytearray, end: int) -> bytearray:
    """Write the digest over the zeros that :data:`_SEAL` finds before ``end``, and return ``data``."""
    found = _SEAL.search(data, 0, end)
    assert found is not None
    data[found.start(1) : found.end(1)] = _hash_around(data, *found.span(1)).hexdigest().encode()
    return data


def _check_seal(path: Path, head: bytes, rest: Iterable[bytes] = ()) -> None:
    """Check a file that is ``head``, in which its digest is, and ``rest``."""
    # Inside a JSON string the quotes would be escaped, so only the field itself can match.
    found = _SEAL.search(head)
    if found is None:
        raise CheckpointError(f"{path}: holds no sha256 of its content: it was damaged, or not written by this kit")
    sha256 = _hash_around(head, *found.span(1))
    for chunk in rest:
        sha256.update(chunk)
    if sha256.hexdigest() != found.group(1).decode():
        raise CheckpointError(
            f"{path}: is damaged: its content does not match its sha256 (truncated, or changed after it was written)"
        )


def _hash_around(data: bytes | bytearray, start: int, end: int) -> hashlib._Hash:
    """The SHA-256 of ``data`` with zeros in place of the digest at ``start:end``; copies nothing."""
    with memoryview(data) as view:
        sha256 = hashlib.sha256(view[:start])
        sha256.update(_ZEROS.encode())
        sha256.update(view[end:])
    return sha256
