"""How the built-in components initialise their parameters; a plugin's components keep what they set themselves."""

from __future__ import annotations

import torch
from torch import nn


def initialise(module: nn.Module) -> None:
    """Initialise one module in place; for ``component.apply(initialise)``.

    - Linear layers: Xavier uniform (Glorot & Bengio 2010), bias 0.
    - Embeddings: normal with standard deviation ``embedding_size ** -0.5``, padding 0.
    - Recurrent layers, each gate on its own: Xavier uniform from the input, orthogonal from the state (Saxe et al.
      2014), bias 0, but 1 for the forget gate of an LSTM (Gers et al. 2000; Jozefowicz et al. 2015).
    """
    with torch.no_grad():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                module.bias.zero_()
        elif isinstance(module, nn.Embedding):
            module.weight.normal_(std=module.embedding_dim**-0.5)
            if module.padding_idx is not None:
                module.weight[module.padding_idx].zero_()
        elif isinstance(module, nn.RNNBase):
            _initialise_recurrent(module)


def _initialise_recurrent(network: nn.RNNBase) -> None:
    for name, parameter in network.named_parameters():
        for gate in parameter.split(network.hidden_size):
            if name.startswith("weight_ih"):
                nn.init.xavier_uniform_(gate)
            elif name.startswith("weight_hh"):
                nn.init.orthogonal_(gate)
            else:
                gate.zero_()
        if isinstance(network, nn.LSTM) and name.startswith("bias_ih"):
            parameter[network.hidden_size : 2 * network.hidden_size] = 1  # the gates lie as input, forget, cell, output
