"""The search code of toolkits that cannot be installed here as a whole: their published files, loaded without the rest.

fairseq's package does not import on current Python, and the others pull in what no search needs. So their wheels are
downloaded and unpacked, their search modules are imported, and what these import from the rest of their package is
replaced by placeholders.
"""

from __future__ import annotations

import importlib
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from torch import Tensor

from benchmarks.support.harness import ROOT

FOLDER = ROOT / ".venv-peer-code"


@dataclass(frozen=True)
class Peer:
    """A toolkit's release, and those of its packages that hold what the search needs."""

    requirement: str
    packages: tuple[str, ...]
    wheel: tuple[str, ...] = ()  # what pip must be told to find one: that of another Python will do, nothing is run


PEERS = {
    "fairseq": Peer("fairseq==0.12.2", ("fairseq",), ("--python-version", "3.8", "--platform", "manylinux1_x86_64")),
    "opennmt": Peer("OpenNMT-py==3.5.1", ("onmt", "onmt.utils", "onmt.translate")),
    "joey": Peer("joeynmt==2.3.0", ("joeynmt",)),
    "sockeye": Peer("sockeye==3.1.34", ("sockeye",)),
}


def fetch() -> None:
    """Download and unpack what is not there yet."""
    for name, peer in PEERS.items():
        folder = FOLDER / name
        if (folder / "requirement.txt").is_file() and (folder / "requirement.txt").read_text() == peer.requirement:
            continue
        folder.mkdir(parents=True, exist_ok=True)
        print(f"downloading {peer.requirement}", file=sys.stderr)
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        subprocess.run([*download, *peer.wheel, "--dest", folder, peer.requirement], check=True)
        [wheel] = folder.glob("*.whl")
        zipfile.ZipFile(wheel).extractall(folder)
        (folder / "requirement.txt").write_text(peer.requirement)


def load() -> dict[str, ModuleType]:
    """The modules that hold the searches, by semantics."""
    for name, peer in PEERS.items():
        for package in peer.packages:
            _placeholder(package).__path__ = [str(FOLDER.joinpath(name, *package.split(".")))]

    _placeholder("fairseq.utils")
    _placeholder("fairseq.data")
    _placeholder("fairseq.data.data_utils")
    _placeholder("fairseq.models", FairseqIncrementalDecoder=type("FairseqIncrementalDecoder", (), {}))
    _placeholder("onmt.utils.misc", tile=_tile)
    _placeholder("joeynmt.batch", Batch=object)
    _placeholder("joeynmt.decoders", RecurrentDecoder=type("Recurrent", (), {}), TransformerDecoder=JoeyDecoder)
    _placeholder("joeynmt.helpers", tile=_tile, adjust_mask_size=lambda *_: None)
    _placeholder("joeynmt.helpers_for_ddp", ddp_merge=None)
    _placeholder("joeynmt.model", DataParallelWrapper=type("DataParallelWrapper", (), {}), Model=object)
    _placeholder("sockeye.lexicon", RestrictLexicon=object)
    _placeholder("sockeye.model", SockeyeModel=object)
    _placeholder("sockeye.utils", OnlineMeanAndVariance=_Means, check_condition=lambda *_: None)
    modules = {
        "fairseq": "fairseq.sequence_generator",
        "opennmt": "onmt.translate.beam_search",
        "joey": "joeynmt.search",
        "sockeye": "sockeye.beam_search",
    }
    return {name: importlib.import_module(module) for name, module in modules.items()}


class JoeyDecoder:
    """What JoeyNMT's search takes for a Transformer's decoder."""

    def __init__(self, output_size: int) -> None:
        self.output_size = output_size


class _Means:
    def update(self, *_: object) -> None: ...


def _tile(tensor: Tensor, count: int, dim: int = 0) -> Tensor:
    return tensor.repeat_interleave(count, dim)


def _placeholder(name: str, **attributes: Any) -> Any:
    module = ModuleType(name)
    vars(module).update(attributes)
    sys.modules[name] = module
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, module)
    return module
