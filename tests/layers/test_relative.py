"""Relative positions, each against its paper's formula."""

from __future__ import annotations

import math

import pytest
import torch

from seq2seq_kit.layers.relative import (
    BucketBias,
    DistanceEmbeddings,
    alibi_bias,
    distances,
    rotate,
    rotation,
)


def test_rotated_vectors_compare_by_their_distance_alone() -> None:
    query, key = torch.randn(8), torch.randn(8)
    place = torch.arange(12)
    turned_query, turned_key = (rotate(x.expand(12, 8), rotation(place, 8)) for x in (query, key))
    for distance in (0, 1, 5):
        products = [float(turned_query[i] @ turned_key[i + distance]) for i in range(12 - distance)]
        assert products == pytest.approx([products[0]] * len(products), abs=1e-4)
    assert float(turned_query[0] @ turned_key[1]) != pytest.approx(float(turned_query[0] @ turned_key[0]))


def test_rotation_turns_each_pair_by_its_angle() -> None:
    x = torch.randn(4)
    turned = rotate(x, rotation(torch.tensor(3), 4))
    for i, theta in enumerate((1.0, 0.01)):  # 10000 ** (-2 i / 4)
        a, b, angle = float(x[i]), float(x[i + 2]), 3 * theta
        assert float(turned[i]) == pytest.approx(a * math.cos(angle) - b * math.sin(angle), abs=1e-5)
        assert float(turned[i + 2]) == pytest.approx(b * math.cos(angle) + a * math.sin(angle), abs=1e-5)


def test_linear_biases_fall_by_each_heads_slope() -> None:
    place = torch.arange(5)
    bias = alibi_bias(distances(place, place), 8)
    assert bias.shape == (8, 5, 5)
    for head in range(8):
        slope = 2.0 ** -(head + 1)
        assert bias[head, 4].tolist() == [-4 * slope, -3 * slope, -2 * slope, -slope, 0]
        assert torch.equal(bias[head], bias[head].T)


def test_buckets_of_a_decoder() -> None:
    """Sixteen exact distances, then sixteen that grow with the logarithm to 128; what comes after counts as 0."""
    bucket = BucketBias(2, 128, causal=True).bucket
    assert bucket(-torch.arange(16)).tolist() == list(range(16))
    assert bucket(torch.tensor([-16, -17, -18, -19, -127, -128, -1000, 1, 50])).tolist() == [
        16,
        16,
        16,
        17,
        31,
        31,
        31,
        0,
        0,
    ]
    expected = [16 + int(math.log(d / 16) / math.log(128 / 16) * 16) for d in range(17, 128)]
    assert bucket(-torch.arange(17, 128)).tolist() == expected


def test_buckets_of_an_encoder_tell_before_from_after() -> None:
    bucket = BucketBias(2, 128, causal=False).bucket
    assert bucket(torch.tensor([0, -1, -7, 1, 7, -1000, 1000])).tolist() == [0, 1, 7, 17, 23, 15, 31]


def test_distance_embeddings_add_a_vector_for_each_clipped_distance() -> None:
    table = DistanceEmbeddings(4, max_distance=2)
    query, weights = torch.randn(1, 1, 6, 4), torch.rand(1, 1, 6, 6)
    distance = distances(torch.arange(6), torch.arange(6))
    scores, contexts = table.scores(query, distance), table.contexts(weights, distance)
    for i in range(6):
        clipped = [min(max(j - i, -2), 2) + 2 for j in range(6)]
        torch.testing.assert_close(scores[0, 0, i], table.keys.weight[clipped] @ query[0, 0, i])
        torch.testing.assert_close(contexts[0, 0, i], weights[0, 0, i] @ table.values.weight[clipped])
