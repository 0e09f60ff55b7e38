"""The example notebooks: they run as they are, and no outputs of another time are kept in them."""

import importlib.util
import json
import os
import subprocess
import sys

import pytest

from tests.examples.scripts import EXAMPLES

NOTEBOOKS = sorted((EXAMPLES / "notebooks").glob("*.ipynb"))
#: What each shows that nobody could show without having run it.
SHOWN = {
    "checking_and_explaining": ["divided by it once too often", "Sequential: 9,978 parameters", "adds up"],
    "diagnosing_a_bug": ["overlap_overwritten", "Healthy: the gradients dx, dw, db are right.", "sign_error"],
}


def test_there_are_notebooks():
    assert [path.stem for path in NOTEBOOKS] == sorted(SHOWN)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_outputs_are_stored(path):
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["nbformat"] == 4
    for cell in content["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("nbclient", "nbformat", "ipykernel")),
    reason="needs the extra notebook: pip install 'whygrad[notebook]'",
)
def test_it_runs(path, tmp_path):
    done = tmp_path / "done.ipynb"
    code = (
        "import sys, nbformat\n"
        "from nbclient import NotebookClient\n"
        "content = nbformat.read(sys.argv[1], 4)\n"
        "NotebookClient(content, timeout=300, kernel_name='python3').execute()\n"
        "nbformat.write(content, sys.argv[2])\n"
    )
    environment = os.environ | {"JUPYTER_PREFER_ENV_PATH": "1", "IPYTHONDIR": str(tmp_path)}
    ran = subprocess.run(
        [sys.executable, "-c", code, path, done],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    outputs = [
        output
        for cell in json.loads(done.read_text(encoding="utf-8"))["cells"]
        if cell["cell_type"] == "code"
        for output in cell["outputs"]
    ]
    complaints = "".join("".join(output["text"]) for output in outputs if output.get("name") == "stderr")
    assert all(line.startswith("compiling kernels") for line in complaints.splitlines()), complaints
    shown = "".join("".join(output.get("data", {}).get("text/html", "")) for output in outputs)
    for sentence in SHOWN[path.stem]:
        assert sentence in shown, sentence
