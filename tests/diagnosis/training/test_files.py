"""Trainings in files, and the command line."""

import json
import os
import subprocess
import sys

import pytest

from whygrad.diagnosis.training.files import template
from whygrad.diagnosis.user_files import diagnose_file


def run(*arguments):
    command = [sys.executable, "-m", "whygrad", "diagnose", *map(str, arguments)]
    environment = os.environ | {"PYTHONIOENCODING": "utf-8", "COLUMNS": "100"}
    return subprocess.run(command, capture_output=True, encoding="utf-8", env=environment, check=False)


@pytest.fixture
def file(tmp_path):
    def write(**changes):
        text = template()
        for old, new in changes.values():
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "my_training.py"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_the_template_is_printed_and_healthy(file):
    printed = run("--template")
    assert (printed.returncode, printed.stdout, printed.stderr) == (0, template(), "")
    done = run(file())
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Healthy" in done.stdout


def test_a_file_with_a_fault(file):
    done = run(file(fault=("params[name] - learning_rate * g", "params[name] + learning_rate * g")), "--json")
    told = json.loads(done.stdout)
    assert done.returncode == 1
    assert told["cause"] == "sign_error"
    assert told["subject"] == "my_training.py"


def test_a_file_that_hangs_or_ends(file):
    hangs = diagnose_file(
        file(fault=("    x, t = batch\n    return -log", "    while True: pass\n    return -log")), time_limit=1.0
    )
    assert hangs.cause is None
    assert "within 1 s" in hangs.findings[0].says
    ends = run(file(fault=("learning_rate = 0.3", "learning_rate = 0.3\nimport sys; sys.exit(3)")))
    assert ends.returncode == 2
    assert "Traceback" not in ends.stderr


def test_a_file_without_a_batch(file):
    path = file(
        fault=("batch = x[:64], t[:64]", "some = x[:64], t[:64]"), data=("data = x, t  #", "every = x, t  #")
    )
    done = run(path)
    assert done.returncode == 2
    assert "expected batch, data or batches" in done.stderr
    assert "--template" in done.stderr
