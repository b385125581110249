"""What stands around a text: end symbols, and the codes of languages, which each tokenizer has in another place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Place = Literal["before", "after"]

TOKENIZERS = {
    "marian": "MarianTokenizer",
    "bart": "BartTokenizer",
    "mbart": "MBartTokenizer",
    "m2m_100": "M2M100Tokenizer",
    "pegasus": "PegasusTokenizer",
    "t5": "T5Tokenizer",
    "mt5": "T5Tokenizer",
}
"""The class of a family's tokenizer, where ``tokenizer_config.json`` names none."""

CODES: dict[str, tuple[Place, str]] = {
    "MBartTokenizer": ("after", "{}"),
    "MBart50Tokenizer": ("before", "{}"),
    "M2M100Tokenizer": ("before", "__{}__"),
    "NllbTokenizer": ("before", "{}"),
}
"""Where the code of a source's language stands, seen from the text and its EOS, and the token that it is."""

KNOWN = {*TOKENIZERS.values(), *CODES}
"""The tokenizers of which it is known what they put around a text."""

M2M100_LANGUAGES = {
    "m2m100": """
        af am ar ast az ba be bg bn br bs ca ceb cs cy da de el en es et fa ff fi fr fy ga gd gl gu ha he hi hr ht hu
        hy id ig ilo is it ja jv ka kk km kn ko lb lg ln lo lt lv mg mk ml mn mr ms my ne nl no ns oc or pa pl ps pt
        ro ru sd si sk sl so sq sr ss su sv sw ta th tl tn tr uk ur uz vi wo xh yi yo zh zu
    """,
    "wmt21": "en ha is ja cs ru zh de",
}
"""The languages of M2M100's models, by their tokenizers' ``language_codes``. They follow the vocabulary in this order,
and no file says so."""

MBART_LANGUAGES = """
    ar_AR cs_CZ de_DE en_XX es_XX et_EE fi_FI fr_XX gu_IN hi_IN it_IT ja_XX kk_KZ ko_KR lt_LT lv_LV my_MM ne_NP nl_XX
    ro_RO ru_RU si_LK tr_TR vi_VN zh_CN
"""
MBART50_LANGUAGES = f"""
    {MBART_LANGUAGES} af_ZA az_AZ bn_IN fa_IR he_IL hr_HR id_ID ka_GE km_KH mk_MK ml_IN mn_MN mr_IN pl_PL ps_AF pt_XX
    sv_SE sw_KE ta_IN te_IN th_TH tl_XX uk_UA ur_PK xh_ZA gl_ES sl_SI
"""
"""The languages of mBART's models, in the order of their ids."""


@dataclass(frozen=True)
class Surroundings:
    """Ids around those of a text.

    Args:
        prefix: before it.
        suffix: after it; of a target, which always ends with EOS, it is not used.
        start: what the decoder is fed first.
    """

    prefix: tuple[int, ...]
    suffix: tuple[int, ...]
    start: int


def surroundings(
    tokenizer: str, side: str, code: int | None, *, legacy: bool, bos: int, eos: int, start: int
) -> Surroundings:
    """What stands around a text.

    Args:
        tokenizer: the class of the tokenizer in transformers.
        side: ``source`` or ``target``.
        code: the language's, for tokenizers among :data:`CODES`.
        legacy: NLLB's ``legacy_behaviour``.
        bos: the tokenizer's own; ``start`` the decoder's.
    """
    if tokenizer == "BartTokenizer":
        return Surroundings((bos,), (eos,), start)
    if code is None:
        return Surroundings((), (eos,), start)
    place, _ = CODES[tokenizer]
    if place == "after" and side == "target":  # mBART's decoder starts with the code
        return Surroundings((), (eos,), code)
    if (place == "after" or legacy) and side == "source":
        return Surroundings((), (eos, code), start)
    return Surroundings((code,), (eos,), start)
