"""The main job, done for real: the digits, learned five times over."""

import json
import statistics
import subprocess
import sys


def test_the_digits_are_learned_by_the_median_of_five_seeds(tmp_path):
    accuracies = []
    for seed in range(5):
        command = [sys.executable, "-m", "whygrad", "train", "--json", "--seed", str(seed)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        accuracies.append(json.loads(done.stdout)["test_accuracy"])
    assert statistics.median(accuracies) >= 0.985
    assert min(accuracies) >= 0.975
