"""Language models of two layers, made here."""

from pathlib import Path
from typing import Any

import pytest
import torch

transformers = pytest.importorskip("transformers")
VOCAB, END = 50, 2


def tiny_llama(**more: Any) -> Any:
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=VOCAB,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        eos_token_id=END,
        bos_token_id=1,
        pad_token_id=END,
        **{"max_position_embeddings": 64, **more},
    )
    model = transformers.LlamaForCausalLM(config).eval()
    for parameter in model.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.4)
    return model


def save_language_model(folder: Path, texts: list[str], end: bool = True) -> Path:
    """A tiny language model with a tokenizer of its own, as `save_pretrained` writes them."""
    from plait.processors import TargetText

    learned = TargetText.train(texts, vocab_size=320)
    names = {"bos_token": "[BEGIN]", "pad_token": "[PAD]"} | ({"eos_token": "[END]"} if end else {})
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=learned.tokenizer, **names)
    tokenizer.save_pretrained(folder)
    config = transformers.LlamaConfig(
        vocab_size=learned.vocab_size,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=4,
        max_position_embeddings=64,
    )
    torch.manual_seed(0)
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    return folder
