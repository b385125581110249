"""How good does English to German get on Multi30k in at most 30 minutes of training on two cores?

Image captions (Elliott et al. 2016), 29,000 pairs; LSTM with attention, see ``configs/multi30k.yaml``. Scored by
sacreBLEU, lowercased, on ``test_2016_flickr``. The corpus is not part of the repository: it is read from
``../shared/data/multi30k``.
"""

from __future__ import annotations

from benchmarks.support import results, translation
from benchmarks.support.harness import Options


def run(options: Options) -> results.Result:
    """Train and score."""
    source, target = (
        (translation.DATA / "multi30k" / f"test_2016_flickr.{language}").read_text(encoding="utf-8").splitlines()
        for language in ("en", "de")
    )
    test = translation.TestSet("test_2016_flickr en-de", source, [[line] for line in target], lowercase=True)
    return translation.run("multi30k", test, options)
