"""How good does English to French get on 11,000 everyday sentences of Tatoeba?

See ``configs/tatoeba.yaml``. A source with several translations in the test part is scored once, with all of them as
references. The corpus is not part of the repository: it is read from ``../shared/data/tatoeba``.
"""

from __future__ import annotations

from benchmarks.support import results, translation
from benchmarks.support.harness import Options


def run(options: Options) -> results.Result:
    """Train and score."""
    references: dict[str, list[str]] = {}
    for line in (translation.DATA / "tatoeba" / "en-fr.test.tsv").read_text(encoding="utf-8").splitlines():
        source, target = line.split("\t")
        references.setdefault(source, []).append(target)
    test = translation.TestSet("Tatoeba en-fr test", list(references), list(references.values()))
    return translation.run("tatoeba", test, options)
