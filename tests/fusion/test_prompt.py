"""The fusion that leaves the fusing to a language model."""

import pytest
import torch

from decoders.tiny import END, tiny_llama
from fakes import fake_tokens
from plait.decoders.language_model import LanguageModel
from plait.decoders.projectors import PROJECTORS
from plait.fusion.prompt import PromptFusion
from plait.layers import masked_mean
from plait.types import Tokens

pytest.importorskip("transformers")


def test_fused_tokens_can_stand_in_a_prompt() -> None:
    """Any fusion before the model: its vector and tokens are one input of the prompt."""
    from plait.fusion import FUSIONS

    fusion = FUSIONS["product"]({"a": 4, "b": 3}, 8)
    decoder = LanguageModel(tiny_llama(), {"": PROJECTORS["mlp"](8, 16, 0.4)}, [[1], "", [7]], END, text_length=8)
    fused = fusion({"a": fake_tokens(3, 2, 4), "b": fake_tokens(3, 5, 3)})
    assert decoder.context(fused).mask.sum(dim=1).max() == 1 + 2 + 5 + 1


def test_ids_of_words_are_not_in_the_fused_vector() -> None:
    photo, text = fake_tokens(2, 3, 4), Tokens.single(torch.full((2, 1), 917.0))
    fused = PromptFusion({"photo": 4, "text": 1}, ["text"])({"photo": photo, "text": text})
    torch.testing.assert_close(fused.pooled, masked_mean(photo))
    assert fused.tokens.x.shape == photo.x.shape and set(fused.parts) == {"photo", "text"}
    alone = PromptFusion({"text": 1}, ["text"])({"text": text})
    assert alone.pooled.tolist() == [[0.0], [0.0]] and not alone.tokens.mask.any()
