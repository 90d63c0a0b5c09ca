"""The layers once more, in numpy, for one row without padding."""

import math

import numpy as np
from torch import nn


def linear(layer: nn.Module, x: np.ndarray) -> np.ndarray:
    out = x @ layer.weight.detach().numpy().T
    return out if layer.bias is None else out + layer.bias.detach().numpy()


def norm(layer: nn.Module, x: np.ndarray) -> np.ndarray:
    scaled = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + layer.eps)
    return scaled * layer.weight.detach().numpy() + layer.bias.detach().numpy()


def mlp(layer: nn.Module, x: np.ndarray) -> np.ndarray:
    hidden = linear(layer.layers[0], x)
    hidden = hidden * 0.5 * (1 + np.vectorize(math.erf)(hidden / math.sqrt(2)))
    return linear(layer.layers[3], hidden)


def attend(query: np.ndarray, key: np.ndarray, value: np.ndarray, heads: int) -> np.ndarray:
    out = []
    for q, k, v in zip(*(np.split(part, heads, axis=1) for part in (query, key, value)), strict=True):
        scores = np.exp(q @ k.T / math.sqrt(q.shape[1]))
        out.append(scores / scores.sum(axis=1, keepdims=True) @ v)
    return np.concatenate(out, axis=1)


def self_block(block: nn.Module, x: np.ndarray) -> np.ndarray:
    qkv = np.split(linear(block.attention.qkv, norm(block.attention_norm, x)), 3, axis=1)
    x = x + linear(block.attention.out, attend(*qkv, block.attention.heads))
    return x + mlp(block.mlp, norm(block.mlp_norm, x))


def cross_block(block: nn.Module, x: np.ndarray, context: np.ndarray) -> np.ndarray:
    if len(context):
        query = linear(block.attention.query, norm(block.query_norm, x))
        key, value = np.split(linear(block.attention.key_value, norm(block.context_norm, context)), 2, axis=1)
        x = x + linear(block.attention.out, attend(query, key, value, block.attention.heads))
    return x + mlp(block.mlp, norm(block.mlp_norm, x))
