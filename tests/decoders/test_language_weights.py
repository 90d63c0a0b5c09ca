"""Language models of strangers."""

import pytest

from decoders.tiny import tiny_llama
from plait.decoders.language_weights import load_model

transformers = pytest.importorskip("transformers")


def test_a_strangers_configuration_fetches_no_code() -> None:
    kernels = {"attn_implementation": "someone/kernels", "_attn_implementation": "someone/kernels"}
    code = {"AutoModelForCausalLM": "someone/code--model.Model", "AutoConfig": "someone/code--config.Config"}
    config = {
        **tiny_llama().config.to_dict(),
        **kernels,
        "auto_map": code,
        "quantization_config": {"quant_method": "x"},
    }
    model = load_model("a folder that is gone", config)
    assert type(model).__module__.startswith("transformers.") and not hasattr(model.config, "auto_map")
    assert "someone" not in str(model.config.to_dict()) + str(model.config._attn_implementation)
