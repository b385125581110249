"""The built-in components, declared through the same hook as a stranger's. Torch-free."""

from __future__ import annotations

from seq2seq_kit.components import Component
from seq2seq_kit.hookspecs import hookimpl


def _component(kind: str, name: str, module: str, cls: str, summary: str, **more: str) -> Component:
    target = f"seq2seq_kit.{module}"
    return Component(kind, name, f"{target}:{cls}", f"{target}:{cls}Config", summary, **more)  # type: ignore[arg-type]


@hookimpl
def register_components() -> list[Component]:
    c = _component
    return [
        c("encoder", "rnn", "encoders.recurrent", "RNNEncoder", "Elman network, packed, uni- or bidirectional"),
        c("encoder", "gru", "encoders.recurrent", "GRUEncoder", "gated recurrent unit (Cho et al. 2014)"),
        c("encoder", "lstm", "encoders.recurrent", "LSTMEncoder", "long short-term memory (Hochreiter 1997)"),
        c("encoder", "transformer", "encoders.transformer", "TransformerEncoder", "self-attention (Vaswani 2017)"),
        c("decoder", "rnn", "decoders.recurrent", "RNNDecoder", "Elman network with any attention"),
        c("decoder", "gru", "decoders.recurrent", "GRUDecoder", "gated recurrent unit with any attention"),
        c("decoder", "lstm", "decoders.recurrent", "LSTMDecoder", "long short-term memory with any attention"),
        c("decoder", "transformer", "decoders.transformer", "TransformerDecoder", "self-attention, AAN or SSRU layers"),
        c("attention", "none", "attention.none", "NoAttention", "no lookup: the state carries all (Sutskever 2014)"),
        c("attention", "bahdanau", "attention.bahdanau", "BahdanauAttention", "additive (Bahdanau et al. 2015)"),
        c("attention", "luong", "attention.luong", "LuongAttention", "dot, general or concat (Luong et al. 2015)"),
        c("attention", "scaled_dot", "attention.scaled_dot", "ScaledDotAttention", "scaled dot product, one head"),
        c("attention", "multihead", "attention.multihead", "MultiheadAttention", "several heads (Vaswani et al. 2017)"),
        c("criterion", "cross_entropy", "criteria.cross_entropy", "CrossEntropy", "masked, with label smoothing"),
        c("criterion", "r_drop", "criteria.r_drop", "RDrop", "two passes that must agree (Liang et al. 2021)"),
        c("criterion", "distillation", "criteria.distillation", "Distillation", "learn from a run (Kim and Rush 2016)"),
        c("criterion", "guided_alignment", "criteria.guided_alignment", "GuidedAlignment", "Chen et al. 2016"),
        c("criterion", "minimum_risk", "criteria.minimum_risk", "MinimumRisk", "expected cost of samples (Shen 2016)"),
        c("tokenizer", "char", "tokenizers.char", "CharTokenizer", "one token a character"),
        c("tokenizer", "word", "tokenizers.word", "WordTokenizer", "words and punctuation, or at white space alone"),
        c("tokenizer", "bpe", "tokenizers.bpe", "BPETokenizer", "byte-pair encoding (Sennrich et al. 2016)"),
        c("tokenizer", "unigram", "tokenizers.unigram", "UnigramTokenizer", "unigram language model (Kudo 2018)"),
        c("metric", "bleu", "metrics.bleu", "BLEU", "sacreBLEU (Post 2018), 0 to 100"),
        c("metric", "chrf", "metrics.chrf", "ChrF", "character F-score (Popović 2015), 0 to 100"),
        c("metric", "exact", "metrics.exact", "ExactMatch", "outputs equal to a reference, in percent"),
        c("metric", "ser", "metrics.exact", "SequenceErrorRate", "outputs unlike every reference, in percent"),
        c("metric", "ter", "metrics.ter", "TER", "translation edit rate (Snover et al. 2006), in percent"),
        c("metric", "wer", "metrics.error_rate", "WordErrorRate", "word edits per reference word, in percent"),
        c("metric", "cer", "metrics.error_rate", "CharacterErrorRate", "character edits per reference character"),
        c("metric", "per", "metrics.error_rate", "PhonemeErrorRate", "phoneme edits per reference phoneme"),
        c("metric", "edit_distance", "metrics.error_rate", "EditDistance", "mean edits to the nearest reference"),
        c("metric", "rouge1", "metrics.rouge", "Rouge1", "words in common (Lin 2004), F1 in percent"),
        c("metric", "rouge2", "metrics.rouge", "Rouge2", "pairs of words in common (Lin 2004), F1 in percent"),
        c("metric", "rouge_l", "metrics.rouge", "RougeL", "longest common subsequence (Lin 2004), F1 in percent"),
        c("metric", "distinct1", "metrics.diversity", "Distinct1", "different words among all (Li et al. 2016)"),
        c("metric", "distinct2", "metrics.diversity", "Distinct2", "different pairs of words (Li et al. 2016)"),
        c("metric", "length", "metrics.diversity", "Length", "mean words of an output"),
        c("transform", "length", "transforms.length", "Length", "filter: neither side too short or too long"),
        c("transform", "ratio", "transforms.ratio", "Ratio", "filter: neither side much longer than the other"),
        c("transform", "duplicates", "transforms.duplicates", "Duplicates", "filter: no pair, source or target twice"),
        c("transform", "copies", "transforms.copies", "Copies", "filter: no source as its own target"),
        c("transform", "field", "transforms.field", "Field", "filter: a field's value, such as a language tag"),
        c("transform", "word_dropout", "transforms.word_dropout", "WordDropout", "noise: words missing (Lample 2018)"),
        c("transform", "word_swap", "transforms.word_swap", "WordSwap", "noise: words out of order (Lample 2018)"),
        c("transform", "token_mask", "transforms.token_mask", "TokenMask", "noise: tokens hidden"),
        c("transform", "bpe_dropout", "transforms.bpe_dropout", "BPEDropout", "resegments (Provilkov et al. 2020)"),
        c("schedule", "constant", "training.schedules", "Constant", "the same value at every step"),
        c("schedule", "linear", "training.schedules", "Linear", "from one value to another over some steps"),
        c("schedule", "inverse_sqrt", "training.schedules", "InverseSqrt", "warm-up, then 1/sqrt(step)"),
        c("schedule", "exponential", "training.schedules", "Exponential", "decay^step (Bengio et al. 2015)"),
        c("schedule", "inverse_sigmoid", "training.schedules", "InverseSigmoid", "k/(k + e^(step/k)) (Bengio 2015)"),
        c("schedule", "noam", "training.schedules", "Noam", "the rate of Vaswani et al. 2017, equation 3"),
        c("schedule", "cosine", "training.schedules", "Cosine", "warm-up, then half a cosine (Loshchilov 2017)"),
        c("schedule", "one_cycle", "training.schedules", "OneCycle", "up, then down to almost nothing (Smith 2018)"),
        c("schedule", "plateau", "training.schedules", "Plateau", "falls when validations get no better"),
        c("task", "translation", "tasks.translation", "Translation", "one language to another", verb="translate"),
        c("task", "pronunciation", "tasks.pronunciation", "Pronunciation", "words to phonemes", verb="pronounce"),
        c("task", "plain", "tasks.plain", "Plain", "any sequence to any other", verb="transduce"),
        c("task", "summarization", "tasks.summarization", "Summarization", "long to short", verb="summarize"),
        c("task", "dialogue", "tasks.dialogue", "Dialogue", "a conversation to the next turn", verb="respond"),
        c("task", "language_model", "tasks.language_model", "LanguageModel", "text without a source", verb="generate"),
    ]
