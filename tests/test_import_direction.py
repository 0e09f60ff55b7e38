"""Who may import whom: each wing what stands to its left in the plan, and nothing else."""

import ast
from pathlib import Path

import pytest

import whygrad

SOURCE = Path(whygrad.__file__).parent
BASE = {"errors", "typing", "version", "validation", "clock", "notebook", "folding"}
KERNELS = BASE | {"threads", "workspace", "kernels"}
OPS = KERNELS | {"engines", "ops"}
LOSSES = OPS | {"losses"}
LAYERS = OPS | {"initializers", "layers"}
MAY_IMPORT = {
    "version": set(),
    "errors": set(),
    "typing": set(),
    "validation": BASE,
    "clock": set(),
    "notebook": set(),
    "folding": set(),
    "threads": BASE,
    "workspace": BASE,
    "engines": KERNELS,
    "kernels": KERNELS,
    "ops": OPS,
    "losses": LOSSES,
    "initializers": BASE | {"initializers"},
    "layers": LAYERS,
    "models": LAYERS | {"models"},
    "optim": KERNELS | {"engines", "optim"},
    "data": BASE | {"data"},
    "training": LOSSES | LAYERS | {"models", "optim", "data", "training", "checking"},
    "checking": LOSSES | LAYERS | {"checking"},
    "explanation": LOSSES | LAYERS | {"models", "optim", "training", "checking", "explanation"},
    "reporting": LOSSES | LAYERS | {"models", "optim", "data", "training", "checking", "reporting"},
    "diagnosis": LOSSES | LAYERS | {"optim", "checking", "diagnosis"},
    "interop": LOSSES
    | LAYERS
    | {"models", "optim", "data", "training", "checking", "explanation", "diagnosis", "interop"},
    "cli": {"*"},
    "__init__": {"*"},
    "__main__": {"cli"},
}
FORBIDDEN = {"torch", "jax", "autograd", "tensorflow", "scipy", "pickle", "cloudpickle", "marshal", "shelve"}
#: Oracles that no module may use, but for a file format that only one of them reads.
EXCEPTIONS = {("diagnosis/dumps.py", "scipy.io.loadmat")}
#: Packages that are optional, each with the one place that may import it.
BROUGHT_BY = {
    "onnx": "interop/onnx",
    "torch": "interop/torch",
    "sklearn": "interop/sklearn",
    "tensorboardX": "interop/tensorboard",
}
FILES = sorted(SOURCE.rglob("*.py"))


def imported(path):
    """Return the dotted names that a module imports."""
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative imports hide where things stand"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


def wing_of(path):
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def test_every_wing_has_its_rule():
    assert {wing_of(path) for path in FILES} == set(MAY_IMPORT)


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(SOURCE)) for path in FILES])
def test_a_module_imports_only_what_stands_before_it(path):
    allowed = MAY_IMPORT[wing_of(path)]
    for name in imported(path):
        top, _, rest = name.partition(".")
        excepted = (str(path.relative_to(SOURCE)), name) in EXCEPTIONS
        excepted |= top in BROUGHT_BY and path.relative_to(SOURCE).as_posix().startswith(BROUGHT_BY[top])
        assert top not in FORBIDDEN | set(BROUGHT_BY) or excepted, f"{path} imports {name}"
        if top == "whygrad" and "*" not in allowed:
            assert rest.split(".")[0] in allowed, f"{path} imports {name}"


@pytest.mark.parametrize("path", [path for path in FILES if wing_of(path) != "cli"], ids=str)
def test_nothing_below_the_command_line_prints(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id != "print"
        if isinstance(node, ast.Attribute):
            assert node.attr not in ("stdout", "stderr")


def test_the_rules_can_be_broken(tmp_path):
    bad = tmp_path / "relu.py"
    bad.write_text("from whygrad.layers import ReLU\nimport torch.nn\n")
    assert imported(bad) == ["whygrad.layers.ReLU", "torch.nn"]
    assert "layers" not in MAY_IMPORT["ops"]
