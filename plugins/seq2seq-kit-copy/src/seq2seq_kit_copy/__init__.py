"""Pointer-generator networks (See et al. 2017, https://arxiv.org/abs/1704.04368) as a plugin of seq2seq_kit: any
decoder with attention learns to copy words of the source, those that its vocabulary lacks among them."""
