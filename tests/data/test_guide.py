"""What docs/data.md says is true."""

import re
from pathlib import Path

import numpy as np

from whygrad.data import AUGMENTATIONS, DATASETS, NAMED, Request, load_parts
from whygrad.data.folder import READ

PAGE = (Path(__file__).parents[2] / "docs/data.md").read_text(encoding="utf-8")


def test_its_python_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        exec(compile(block, "docs/data.md", "exec"), {})
    accuracy = float(capsys.readouterr().out.split()[0])
    assert accuracy > 0.3
    train = load_parts(Request("two.npz")).parts.train
    assert train.classes == ("light", "dark")
    assert isinstance(train.images[:2], np.ndarray)


def test_it_names_every_set_file_and_augmentation():
    for name in (*DATASETS, *AUGMENTATIONS, *(file.name for each in NAMED.values() for file in each.files)):
        assert f"`{name}" in PAGE, name
    for ending in READ:
        assert ending.strip(".").replace("jpg", "jpeg") in PAGE.lower()
