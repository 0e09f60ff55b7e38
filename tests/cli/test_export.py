import json

import numpy as np
import pytest

pytest.importorskip("onnx")


def run(path, images):
    """Return what onnxruntime makes of images."""
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (scores,) = session.run(None, {session.get_inputs()[0].name: images})
    return scores


def test_the_network_of_a_run_runs_elsewhere(whygrad, trained, tmp_path):
    from whygrad.data import load_digits
    from whygrad.training import Run

    result = whygrad("export", trained, "model.onnx")
    assert result.code == 0, result.err
    assert result.out.startswith("wrote model.onnx (")
    assert result.out.endswith(" bytes): batches of 1x8x8 to 10 scores\n")
    images = load_digits().images[:50]
    opened = Run(trained)
    plan = opened.plan()
    scores, _, _ = plan.model(opened.parameters(plan), images)
    np.testing.assert_allclose(run(tmp_path / "model.onnx", images), scores, rtol=1e-5, atol=1e-5)


def test_json_and_metadata_name_the_classes(whygrad, trained, tmp_path):
    import onnx

    result = whygrad("export", trained, "model.onnx", "--json")
    written = json.loads(result.out)
    assert written["classes"] == list("0123456789")
    assert written["input_shape"] == ["N", 1, 8, 8]
    assert written["bytes"] == (tmp_path / "model.onnx").stat().st_size
    metadata = {one.key: one.value for one in onnx.load(tmp_path / "model.onnx").metadata_props}
    assert json.loads(metadata["classes"]) == written["classes"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("nothing", "model.onnx"), 1, "nothing: expected a run, received no such directory; name the directory"),
        (("{run}", "model.txt"), 2, "export: expected a file that ends in .onnx, received 'model.txt'; change its"),
        (("{run}", "none/model.onnx"), 1, "none/model.onnx: expected a place that can be written to, received No"),
    ],
)
def test_what_cannot_be_exported_is_one_line(whygrad, trained, arguments, code, message):
    result = whygrad("export", *(str(one).replace("{run}", str(trained)) for one in arguments))
    assert result.code == code
    assert message in result.err
    assert result.err.count("\n") == 1


def test_what_images_were_normalised_with_is_part_of_the_file(whygrad, tmp_path):
    from whygrad.data import load_digits

    options = ("--normalise", "--epochs", 2, "--out", "run", "--no-check")
    assert whygrad("train", *options).code == 0
    assert whygrad("export", "run", "model.onnx").code == 0
    images = load_digits().images[:40]
    np.save(tmp_path / "images.npy", images)
    predictions = json.loads(whygrad("predict", "run", "images.npy", "--json").out)["predictions"]
    scores = run(tmp_path / "model.onnx", images).astype(np.float64)
    chances = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    wanted = [list(one["probabilities"].values()) for one in predictions]
    np.testing.assert_allclose(chances, wanted, rtol=0, atol=1e-5)
