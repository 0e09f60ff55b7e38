"""What is optional stays optional: nothing brings it unasked, and without it one sentence says what to install."""

import subprocess
import sys

import pytest

EXTRAS = {
    "torch": ("torch", "torch"),
    "sklearn": ("sklearn", "scikit-learn"),
    "tensorboard": ("tensorboardX", "tensorboardX"),
}


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_importing_the_package_brings_none_of_them():
    code = (
        "import sys, whygrad, whygrad.cli, whygrad.interop\n"
        "print(*{name.split('.')[0] for name, module in sys.modules.items() if module})"
    )
    loaded = python(code)
    assert loaded.returncode == 0, loaded.stderr
    assert not set(loaded.stdout.split()) & {
        "torch",
        "sklearn",
        "scipy",
        "tensorboardX",
        "onnx",
        "IPython",
        "pandas",
    }


@pytest.mark.parametrize("module", EXTRAS)
def test_one_sentence_says_what_to_install(module):
    package, called = EXTRAS[module]
    done = python(
        f"import sys; sys.modules[{package!r}] = None\n"
        f"try:\n    import whygrad.interop.{module}\n"
        "except ImportError as error:\n    print(type(error).__name__, error)"
    )
    assert done.stdout.strip() == (
        f"DependencyError whygrad.interop.{module}: expected the package {called}, received none; "
        f"install it with: pip install 'whygrad[{module}]'"
    ), done.stderr
