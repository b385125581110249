"""``s2s plugins new``: a distribution with one component, made of the templates in ``templates/``. Torch-free.

``templates/common`` is shared by all kinds; ``templates/KIND`` has the component, its tests and a configuration that
trains with it. They are text with ``$name`` in place of what differs (:class:`string.Template`).
"""

from __future__ import annotations

import keyword
import re
from importlib.util import find_spec
from pathlib import Path
from string import Template

from seq2seq_kit import __version__
from seq2seq_kit.components import RESERVED_VERBS
from seq2seq_kit.errors import UserError
from seq2seq_kit.plugins import normalize
from seq2seq_kit.registry import registry
from seq2seq_kit.sealed import explain_write_errors

TEMPLATES = Path(__file__).with_name("templates")
COMMON = "common"

SUMMARIES = {
    "encoder": "convolutions over embedded tokens",
    "decoder": "a recurrent decoder with dot-product attention",
    "attention": "dot products, and a gate that the query opens",
    "task": "text to text",
    "tokenizer": "words between white space",
    "criterion": "focal loss (Lin et al. 2017)",
    "metric": "F1 of words, in any order, 0 to 100",
    "processor": "makes a token less likely to follow itself",
    "transform": "noise: sources that lose their last words",
    "schedule": "halved again and again",
    "callback": "keeps what the best model wrote",
    "importer": "recurrent models of another toolkit",
}
"""The kinds, and what the component of each one's template is."""

_PREFIXES = ("seq2seq-kit-", "s2s-")


def new_plugin(name: str, kind: str, parent: Path = Path()) -> list[Path]:
    """Write the distribution ``name`` with one component of ``kind`` into the new folder ``parent / name``.

    The component is called as the distribution, without ``s2s-`` or ``seq2seq-kit-`` before and the kind after it.

    Returns: the files written.

    Raises:
        UserError: the name or the kind cannot be used, or the folder exists; nothing is written.
    """
    values = _values(name, kind)
    folder = parent / name
    if folder.exists():
        raise UserError(f"{folder}: is there already; choose another name, or another folder with --into")
    package, written = values["package"], []
    files = {
        "pyproject.toml": f"{COMMON}/pyproject.toml",
        "README.md": f"{COMMON}/README.md",
        ".gitignore": f"{COMMON}/gitignore",
        ".github/workflows/test.yml": f"{COMMON}/ci.yml",
        "config.yaml": f"{kind}/config.yaml",
        "example/train.tsv": f"{COMMON}/train.tsv",
        "example/dev.tsv": f"{COMMON}/dev.tsv",
        f"src/{package}/__init__.py": f"{COMMON}/init.py",
        f"src/{package}/plugin.py": f"{COMMON}/plugin.py",
        f"src/{package}/{kind}.py": f"{kind}/component.py",
        f"tests/test_{kind}.py": f"{kind}/test.py",
    }
    if kind == "importer":  # it has a tokenizer of its own, which needs no text to learn from
        files |= {
            f"src/{package}/plugin.py": f"{kind}/plugin.py",
            f"src/{package}/tokenizer.py": f"{kind}/tokenizer.py",
            "example/vocabulary.txt": f"{kind}/vocabulary.txt",
        }
    texts = {path: _render(template, values) for path, template in files.items()}
    with explain_write_errors(folder):
        for path, text in texts.items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
            written.append(file)
    return written


def _values(name: str, kind: str) -> dict[str, str]:
    """What stands for the names in the templates."""
    if kind not in SUMMARIES:
        raise UserError(f"--kind must be one of {', '.join(SUMMARIES)}, got {kind!r}")
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        raise UserError(
            f"{name!r} cannot be the name of a plugin: write lower-case letters, digits and single hyphens, a letter "
            f"first, for instance s2s-{_suggestion(name)}"
        )
    package = name.replace("-", "_")
    if keyword.iskeyword(package) or find_spec(package) is not None:
        taken = "a word of Python's" if keyword.iskeyword(package) else "a package that is installed here already"
        raise UserError(
            f"{name!r} cannot be the name of a plugin: {package} is {taken}; choose another, like s2s-{name}"
        )
    component = _component_name(name, kind)
    for provided in registry().provided(kind):
        if provided.component.name == component:
            raise UserError(f"{provided.provider} has the {kind} {component!r} already; choose another name")
    verb = component.replace("-", "_")
    verbs = {*RESERVED_VERBS, *(p.component.verb for p in registry().provided("task"))}
    if kind == "task" and verb in verbs:
        raise UserError(
            f"{verb!r}, which would be the verb of this task, is a command of s2s already; choose another name"
        )
    return {
        "distribution": normalize(name),
        "package": package,
        "kind": kind,
        "name": component,
        "cls": "".join(part.title() for part in component.split("-")) + kind.title(),
        "summary": SUMMARIES[kind],
        "entry_point": component,
        "requires": _requirement(__version__),
        "verb": verb,
        "verb_argument": f'\n            verb="{verb}",' if kind == "task" else "",
    }


def _component_name(name: str, kind: str) -> str:
    """``s2s-gated-attention`` is the attention ``gated``."""
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name.removesuffix(f"-{kind}")


def _suggestion(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "mine"


def _requirement(version: str) -> str:
    """The releases that keep what this one promises: ``>=0.1,<0.2``."""
    major, minor, *_ = version.split(".")
    return f">={major}.{minor},<{major}.{int(minor) + 1}"


def _render(template: str, values: dict[str, str]) -> str:
    text = (TEMPLATES / f"{template}.template").read_text(encoding="utf-8")
    return Template(text).substitute(values)
