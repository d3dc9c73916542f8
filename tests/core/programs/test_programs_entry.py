"""The one entry of the programs: quick to start, whatever the programs themselves need."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from core.programs.__main__ import PROGRAMS, main
from tests.core.programs.shared.running import ROOT

#: All of core that a program may load.
CORE = {"core", "core.log_text", "core.words", "core.sandbox", "core.sandbox.folders", "core.sandbox.lines"}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_starts_without_the_rest_of_core_and_without_what_it_may_not_need(name: str) -> None:
    code = f"import sys, json, core.programs.__main__, core.programs.{name}.run; print(json.dumps(list(sys.modules)))"
    loaded = set(json.loads(subprocess.check_output([sys.executable, "-c", code], cwd=ROOT)))
    heavy = {"polars", "matplotlib", "pyarrow", "numpy", "sqlalchemy", "pydantic", "jinja2", "markdown_it", "httpx2"}
    assert not loaded & heavy
    ours = {one for one in loaded if one.split(".")[0] == "core"}
    assert {one for one in ours - CORE if not one.startswith("core.programs")} == set()
    assert not [
        one for one in ours if one.startswith(tuple(f"core.programs.{other}" for other in PROGRAMS if other != name))
    ]


@pytest.mark.parametrize("name", PROGRAMS)
def test_each_says_how_it_is_called(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([name, "--help"])
    assert caught.value.code == 0
    assert f"core.programs {name} [-h] --output DIR [--input DIR]" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["--input", "/no/such/folder"], ["--nonsense"], []])
@pytest.mark.parametrize("name", [*PROGRAMS, "other"])
def test_wrong_usage_runs_nothing(name: str, arguments: list[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as caught:
        main([name, *(["--output", str(tmp_path / "output")] if arguments else []), *arguments])
    assert caught.value.code == 2
    assert not (tmp_path / "output").exists()
