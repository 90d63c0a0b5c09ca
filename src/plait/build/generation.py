"""Recipe → the decoder that writes texts, and the inputs that it reads."""

from collections.abc import Mapping
from typing import Any

from plait.build.options import construct
from plait.build.tasks import task_with
from plait.build.words import PROMPT, WORDS, model_name
from plait.decoders import DECODERS
from plait.decoders.language_model import LanguageModel
from plait.decoders.language_weights import PACKAGED, is_language_model, load_model, weights_of
from plait.decoders.projectors import PROJECTORS, AsItIs
from plait.errors import RecipeError, unknown
from plait.heads import WriteHead
from plait.modalities import MODALITIES
from plait.recipe import Recipe
from plait.tasks import Generation, Targets


def prompted(recipe: Recipe) -> Recipe:
    """The recipe of a language model, in which it reads the texts itself and serves as fusion, unless another is named.

    Raises:
        RecipeError: the fusion is `prompt`, and no language model writes.
    """
    if task_with(recipe, "writes") is None or not is_language_model(recipe.decoder.method):
        if recipe.fusion.method == PROMPT:
            raise RecipeError("fusion.method=prompt: a language model reads it; set decoder.method=packaged:smollm2, …")
        return recipe
    if "method" not in recipe.fusion.model_fields_set:
        recipe = recipe.updated({"fusion": {"method": PROMPT}})
    if recipe.fusion.method != PROMPT:
        return recipe
    if recipe.fusion.missing_token:
        raise RecipeError("fusion.missing_token: what a row lacks is not in its prompt; leave it out, or name a fusion")
    kinds = {name: MODALITIES[str(spec.modality)] for name, spec in recipe.inputs.items()}
    texts = [name for name, kind in kinds.items() if kind.words and recipe.inputs[name].encoder is None]
    return recipe.updated({"inputs": {name: {"encoder": WORDS} for name in texts}})


def build_writer(
    recipe: Recipe, targets: Targets, encoders: Mapping[str, Any] | None = None, saved: bool = False
) -> WriteHead:
    """The head with the decoder that writes; `saved` where the weights of a run are loaded into it afterwards.

    Raises:
        RecipeError: a name or option is unknown.
    """
    task, spec = targets.writer, recipe.decoder
    assert task is not None
    sampling = recipe.train.scheduled_sampling
    if task.language_model is not None:
        decoder = _language_model(recipe, task, encoders or {}, saved)
        return WriteHead(task.target, decoder, recipe.generation, 0, sampling)
    if spec.method not in DECODERS:
        names = [*DECODERS, PACKAGED, "hf:NAME"]
        raise RecipeError(f"decoder.method: {unknown('decoder', spec.method, names)}")
    texts = task.texts
    shape: tuple[Any, ...] = (texts.vocab_size, texts.begin, texts.end, recipe.fusion.dim)
    options = {"max_length": texts.max_length, **spec.options}
    decoder = construct("decoder", spec.method, DECODERS[spec.method], options, (), *shape)
    return WriteHead(task.target, decoder, recipe.generation, recipe.fusion.dim, sampling)


def _language_model(recipe: Recipe, task: Generation, encoders: Mapping[str, Any], saved: bool) -> LanguageModel:
    description, spec = task.language_model or {}, recipe.decoder
    model = load_model(model_name(recipe), description["config"] if saved else None)
    options = spec.options
    projector = options.pop("projector", "mlp")
    words = model.get_input_embeddings().weight
    dim, scale = words.shape[1], float(words.detach().float().std())
    widths = {name: encoder.out_dim for name, encoder in encoders.items() if name not in description["words"]}
    widths = widths if recipe.fusion.method == PROMPT else {"": recipe.fusion.dim}
    # The model's own image encoder gives tokens in its word space already; all others need a projector.
    projectors = {
        name: AsItIs()
        if getattr(encoders.get(name), "in_word_space", False) and encoders[name].name == model_name(recipe)
        else _projector(projector, width, dim, scale)
        for name, width in widths.items()
    }
    arguments = (
        model,
        projectors,
        description["template"],
        task.texts.end,
        description["words"],
        task.texts.max_length,
    )
    source = None if saved else weights_of(model_name(recipe), model)
    decoder: LanguageModel = construct("decoder", spec.method, LanguageModel, options, (), *arguments)
    decoder.weights = source
    return decoder


def with_model_config(targets: Targets, model: Any) -> Targets:
    """Targets with the configuration of the language model that was loaded, so that a saved run does not need it."""
    task = targets.writer
    if task is None or task.language_model is None:
        return targets
    config = model.head.decoder.model.config.to_dict()
    return targets.with_task(task.target, task.with_language_model({**task.language_model, "config": config}))


def _projector(choice: Any, in_dim: int, dim: int, scale: float) -> Any:
    """`decoder.projector: mlp`, or with options `{method: resampler, latents: 8}`."""
    options = dict(choice) if isinstance(choice, Mapping) else {"method": choice}
    method = str(options.pop("method", "mlp"))
    if method not in PROJECTORS:
        raise RecipeError(f"decoder.projector: {unknown('projector', method, PROJECTORS)}")
    return construct("decoder.projector", method, PROJECTORS[method], options, (), in_dim, dim, scale)
