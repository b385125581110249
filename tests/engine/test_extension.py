"""How the compiled engine is loaded, and what it brings into the process."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import seq2seq_kit
from seq2seq_kit import _engine
from seq2seq_kit.errors import UserError


def python(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs Linux's /proc")
def test_one_openmp_runtime() -> None:
    """A second OpenMP runtime beside torch's doubles the threads, or ends the process."""
    done = python(
        "import torch, re\n"
        "from seq2seq_kit import search, SearchOptions\n"
        "search(lambda tokens, position, state: torch.randn(*tokens.shape, 50), None, SearchOptions(), batch_size=9)\n"
        "print(*sorted(set(re.findall(r'\\S*lib(?:gomp|omp|iomp)\\S*', open('/proc/self/maps').read()))))"
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) == 1, done.stdout


def test_a_torch_of_another_minor_gets_one_sentence() -> None:
    """Before the extension is touched, where it would end in an undefined symbol."""
    done = python(
        "import torch; torch.__version__ = '1.99.0'\n"
        "try:\n    import seq2seq_kit._engine\n"
        "except ImportError as error:\n    print(type(error).__mro__[1].__name__, error)\n"
        "import sys; print('seq2seq_kit._engine._native' in sys.modules)"
    )
    minor = ".".join(_engine.TORCH_VERSION.split(".")[:2])
    sentence = rf"seq2seq_kit was compiled against torch {minor}\S*, but torch 1\.99\.0 is installed\. .*"
    assert re.fullmatch(rf"UserError {sentence}\nFalse\n", done.stdout), done


def test_another_patch_release_or_build_of_torch_is_fine() -> None:
    _engine._check_torch("2.13.0+cpu", "2.13.1+cu130")
    with pytest.raises(UserError, match=r"install torch 2\.13"):
        _engine._check_torch("2.13.0", "2.14.0")


def test_the_package_imports_without_torch() -> None:
    done = python("import seq2seq_kit, sys; print('torch' in sys.modules)")
    assert done.stdout == "False\n", done.stderr


def test_stub_declares_what_the_extension_has() -> None:
    stub = Path(seq2seq_kit.__file__).with_name("_engine").joinpath("_native.pyi").read_text(encoding="utf-8")
    from seq2seq_kit._engine import _native

    public = {name for name in dir(_native) if not name.startswith("_")}
    assert public == set(re.findall(r"^(?:class |def )?(\w+)(?=[:(])", stub, re.MULTILINE))
    members = {name for name in dir(_native.SearchOptions) if not name.startswith("_")}
    block = stub[stub.index("class SearchOptions") : stub.index("def search")]
    assert members == set(re.findall(r"^    (?:def )?([a-z]\w*)", block, re.MULTILINE)) - {"def"}
    for function in ("search", "search_table"):
        parameters = re.findall(r"(\w+): ", inspect.getdoc(getattr(_native, function)) or "")
        declared = stub[stub.index(f"def {function}(") :]
        assert parameters == re.findall(r"^    (\w+): ", declared[: declared.index(")")], re.MULTILINE)
