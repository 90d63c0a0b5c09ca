"""The shape of the house, checked on its source."""

import ast
import importlib
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "plait"
FILES = sorted(SOURCE.rglob("*.py"))

# Who imports whom, downwards only; rooms of one row do not import each other.
ROWS = [
    {"types", "errors"},
    {"files"},
    {"values"},
    {"layers", "metrics", "processors", "console"},
    {"modalities", "encoders", "fusion", "alignment", "generation"},
    {"heads", "decoders"},
    {"model", "data"},
    {"tasks", "datasets"},
    {"training"},
    {"recipe", "features", "evaluation"},
    {"build"},
    {"runs"},
    {"checks"},
    {"report"},
    {"estimator"},
    {"predictor"},
    {"compare", "inference"},
    {"search"},
    {"serving"},
    {"cli"},
]
LEVEL = {room: level for level, rooms in enumerate(ROWS) for room in rooms}
EVERYWHERE = {"__init__", "__main__"}
# A package's own file, read by an unpickler that knows four names of arrays and no other; see its test.
ARRAYS_ONLY = {"datasets/watch.py"}

# A file of src/ is tested by the file of its name in tests/; where that is not so, this says where it is tested.
TESTED_IN = {
    "fusion/": "fusion/test_fusion.py",  # a contract over FUSIONS, and each against numpy
    "encoders/": "encoders/test_encoders.py",  # a contract over ENCODERS, and each against something independent
    **{
        f"modalities/{name}.py": "modalities/test_modalities.py"
        for name in ["category", "date", "number", "tabular", "text"]
    },
    **{f"decoders/{name}.py": "decoders/test_decoders.py" for name in ("text_rnn", "text_transformer")},
    "processors/open_clip_text.py": "processors/test_contract.py",
    "alignment/shared_space.py": "alignment/test_contrastive.py",
    "modalities/series_noises.py": "modalities/test_series.py",
    "heads/kernel.py": "training/test_closed_form.py",  # against scikit-learn's answers, as is the next
    "heads/linear.py": "training/test_closed_form.py",
    "heads/split.py": "heads/test_predict.py",
    "heads/trees.py": "training/test_trees.py",  # they say what the library that grew them says
    "heads/write.py": "training/test_self_critical.py",
    "layers/mlp.py": "heads/test_predict.py",
    "layers/scaling.py": "training/test_closed_form.py",
    "layers/precise.py": "heads/test_predict.py",
    "layers/products.py": "fusion/test_fusion.py",
    "metrics/ngrams.py": "metrics/test_bleu.py",
    "metrics/rouge_l.py": "metrics/test_bleu.py",
    "training/sharding.py": "test_slow.py",  # in two processes
    "report/comparison_report.py": "compare/test_session.py",
    "report/generated.py": "tasks/test_generation.py",
    "report/modalities_report.py": "evaluation/test_noise.py",
    "report/run_report.py": "cli/test_runs.py",
    **{f"report/{name}.py": "compare/test_labels.py" for name in ("labels_report", "rows")},
    "estimator/unfitted.py": "estimator/test_params.py",
    "runs/saved.py": "test_predictor.py",
    "processors/films.py": "modalities/test_video.py",
    "layers/temporal.py": "encoders/test_video.py",
    "encoders/video_cnn.py": "encoders/test_video.py",
    "encoders/video_frames.py": "encoders/test_video.py",
    "encoders/video_hf.py": "encoders/test_video.py",
    "cli/joining.py": "data/test_joining.py",
    "cli/checking.py": "compare/test_labels.py",
    "serving/guard.py": "serving/test_search_app.py",
    "build/extras.py": "checks/test_doctor.py",
    "runs/ensemble.py": "build/test_ensemble.py",
    **{f"compare/{name}.py": "compare/test_session.py" for name in ("answers", "fold", "result")},
    **{f"compare/{name}.py": "compare/test_judging.py" for name in ("crossfit", "evidence", "verdict")},
    "compare/timing.py": "compare/test_experiment.py",
    "cli/searching.py": "test_readme.py",
}


def room_of(path: Path) -> str:
    part = path.relative_to(SOURCE).parts[0]
    return part.removesuffix(".py")


def imports_of(path: Path) -> set[str]:
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"plait.{alias.name}" for alias in node.names] if node.module == "plait" else [node.module]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        rooms |= {name.split(".")[1] for name in names if name.startswith("plait.")}
    return rooms - {"former_names"}  # of plait/__init__.py, below all rooms


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_point_down(path: Path) -> None:
    room = room_of(path)
    if room in EVERYWHERE:
        return
    assert room in LEVEL, f"{room} has no row; add it to ROWS"
    for other in imports_of(path) - {room}:
        assert LEVEL[other] < LEVEL[room], f"{path.name}: {room} must not import {other} (a row above or beside it)"


def test_all_that_is_imported_is_a_declared_dependency() -> None:
    told = tomllib.loads((SOURCE.parent.parent / "pyproject.toml").read_text())["project"]
    declared = {
        re.split(r"[\[<>=!~ ]", one)[0].lower().replace("_", "-")
        for one in [*told["dependencies"], *(one for extra in told["optional-dependencies"].values() for one in extra)]
    }
    packages = importlib.metadata.packages_distributions()
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            for name in {name.split(".")[0] for name in names} - set(sys.stdlib_module_names) - {"plait"}:
                found = {one.lower().replace("_", "-") for one in packages.get(name, [name])}
                assert found & declared, f"{path.name} imports {name}, which pyproject.toml does not name"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_files_are_short_and_safe(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 400
    tree = ast.parse(text)
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    froms = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    unpickles = {"dill", "cloudpickle"} | (set() if path.relative_to(SOURCE).as_posix() in ARRAYS_ONLY else {"pickle"})
    assert not (imported | {str(node.module) for node in froms}) & unpickles
    of_joblib = {alias.name for node in froms if str(node.module).startswith("joblib") for alias in node.names}
    assert "joblib" not in imported and not of_joblib & {"load", "Memory"}  # they unpickle files
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            assert ast.unparse(node.func) not in {"eval", "exec", "yaml.load", "pickle.load"}
            if ast.unparse(node.func) == "torch.load":
                assert any(k.arg == "weights_only" and ast.literal_eval(k.value) for k in node.keywords)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_public_things_are_documented(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), "the file does not say what it is for"
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{node.name} has no docstring"


def test_git_knows_every_file() -> None:
    """A file that .gitignore covers works here and is missing in every clone (`build/` was one)."""
    command = ["git", "ls-files", "--others", "--ignored", "--exclude-standard", "--", "*.py"]
    root = SOURCE.parent.parent
    if not (root / ".git").exists():
        pytest.skip("not a checkout")
    ignored = subprocess.run([*command, "src", "tests"], cwd=root, capture_output=True, text=True, check=True).stdout
    assert not [name for name in ignored.splitlines() if name.startswith(("src/plait/", "tests/"))]
    rooms = {path.parent for path in FILES}
    assert all((room / "__init__.py").exists() for room in rooms)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_nobody_asks_for_a_modality_by_name(path: Path) -> None:
    """What depends on a modality is asked of it: `spec.modality == "image"` would leave out the next one."""
    if room_of(path) == "modalities":
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            asked = [s for s in sides if ast.unparse(s).split(".")[-1] in ("modality", "modality_name")]
            names = [c for s in sides for c in ast.walk(s) if isinstance(c, ast.Constant) and isinstance(c.value, str)]
            assert not (asked and names), f"{path.name}:{node.lineno}: {ast.unparse(node)}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_nobody_asks_for_a_task_by_name(path: Path) -> None:
    """What depends on a task is asked of it, outside of the rooms where tasks are made."""
    if room_of(path) in {"tasks", "build"}:
        return
    text = path.read_text()
    tree = ast.parse(text)
    classes = {"Classification", "Generation", "Matching", "Multilabel", "Regression", "Retrieval"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            named = any(isinstance(s, ast.Constant) and isinstance(s.value, str) for s in sides)
            assert not (named and any(ast.unparse(s).endswith("task.kind") for s in sides)), ast.unparse(node)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "isinstance":
            asked = {n.id for n in ast.walk(node.args[1]) if isinstance(n, ast.Name)}
            assert not asked & classes, f"{path.name}:{node.lineno}: {ast.unparse(node)}"
    assert not re.search(r"\brecipe\.(text|pairs)\b", text)


def test_every_file_has_the_test_of_its_name() -> None:
    tests = SOURCE.parent.parent / "tests"
    assert all((tests / where).is_file() for where in TESTED_IN.values())
    files = [path.relative_to(SOURCE) for path in FILES if path.stem not in EVERYWHERE]
    own = {str(path): (tests / path.with_name(f"test_{path.name}")).is_file() for path in files}
    told = {name: bool({name, f"{name.split('/')[0]}/"} & TESTED_IN.keys()) for name in own}
    assert not [name for name in own if not own[name] and not told[name]], "write tests/ROOM/test_FILE.py"
    assert not [name for name in TESTED_IN if own.get(name, not name.endswith("/"))], "TESTED_IN names too much"


def test_the_root_holds_what_users_import() -> None:
    held = {path.name for path in SOURCE.glob("*.py")}
    names = "__init__ __main__ types errors console recipe model predictor"
    assert held == {f"{name}.py" for name in names.split()}  # and the room values
    rooms = {path.name for path in SOURCE.iterdir() if (path / "__init__.py").exists()}
    assert rooms <= set(LEVEL)


def test_former_names_still_work_and_say_where_things_went() -> None:
    import plait

    for old, new in plait.MOVED.items():
        sys.modules.pop(old, None)
        with pytest.warns(DeprecationWarning, match=f"{old} is now {new}"):
            found = importlib.import_module(old)
        assert found is importlib.import_module(new)
    assert "Predictor" in dir(plait)
    for module, old, new in (
        ("layers", "hasten", "layers.use_fast_linear"),
        ("layers", "AbsentToken", "layers.MissingToken"),
        ("types", "Alone", "types.UnimodalOutput"),
        ("search.index", "Catalogue", "search.index.Index"),
        ("build", "build_model", "build.model.build_model"),
        ("files", "write_json", "files.atomic.write_json"),
        ("data.schema", "split_cell", "modalities.media.split_cell"),
        ("data.frames", "picture_bytes", "modalities.image.store"),
        ("checks.duplicates", "text_fingerprint", "modalities.fingerprints.text_fingerprint"),
        ("features.store", "content_key", "modalities.media.content_key"),
        ("build.model", "build_targets", "build.tasks.build_targets"),
        ("modalities.noises", "NoisyProcessor", "evaluation.noise.NoisyProcessor"),
    ):
        room = importlib.import_module(f"plait.{module}")
        place, _, name = f"plait.{new}".rpartition(".")
        with pytest.warns(DeprecationWarning, match=f"{old} is now .*{name}"):
            assert getattr(room, old) is getattr(importlib.import_module(place), name)
        with pytest.raises(AttributeError, match="nothing"):
            room.nothing  # noqa: B018


@pytest.mark.parametrize("statement", ["import plait", "import plait.cli", "from plait.recipe import Recipe"])
def test_light_imports_leave_torch_alone(statement: str) -> None:
    code = f"import sys; {statement}; sys.exit('torch' in sys.modules or 'pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_predicting_imports_nothing_that_only_training_or_pictures_need() -> None:
    later = ("torchvision", "sklearn", "matplotlib", "torch._dynamo", "torch.distributed.tensor")
    code = f"import sys; from plait import Predictor; print([name for name in {later} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_leaves_torch_alone() -> None:
    code = (
        "import sys; sys.argv = ['plait', '--help']\n"
        "from plait.cli import main\n"
        "try: main()\n"
        "except SystemExit as stop: code = stop.code\n"
        "sys.exit(code or 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for command in ("train", "check", "evaluate", "predict", "doctor", "demo"):
        assert command in done.stdout
