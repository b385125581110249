"""Convolutional sequence to sequence learning (Gehring et al. 2017, https://arxiv.org/abs/1705.03122) as a plugin of
seq2seq_kit."""
