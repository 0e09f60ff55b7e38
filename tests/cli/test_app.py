import pytest

import whygrad as package


@pytest.mark.parametrize("command", ["train", "predict", "evaluate", "info"])
def test_every_command_has_help_with_an_example(whygrad, command):
    result = whygrad(command, "--help")
    assert result.code == 0
    assert f"Example: whygrad {command}" in result.out


def test_the_version_is_printed(whygrad):
    assert whygrad("--version").out == f"whygrad {package.__version__}\n"


@pytest.mark.parametrize("arguments", [["fly"], ["predict"], ["info"]])
def test_wrong_usage_is_exit_code_2(whygrad, arguments):
    result = whygrad(*arguments)
    assert result.code == 2
    assert result.err.startswith("whygrad: ")
    assert result.err.count("\n") == 1
    assert "Traceback" not in result.err
