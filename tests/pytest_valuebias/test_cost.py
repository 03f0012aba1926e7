"""A run without a model pays next to nothing for the plugin."""

from __future__ import annotations

import sys

import pytest

HEAVY = ("torch", "transformers", "numpy", "scipy", "peft", "yaml", "rich", "snowballstemmer")


@pytest.mark.parametrize("args", [["--help"], ["--markers"], ["-q", "test_one.py"]])
def test_nothing_heavy_is_imported_without_a_model(
    pytester: pytest.Pytester, args: list[str]
) -> None:
    pytester.makepyfile(test_one="def test_one(): pass")
    script = pytester.makepyfile(
        script=f"""
        import sys
        import pytest
        # Only ours: what other installed plugins import is not our cost.
        status = pytest.main({["-p", "pytest_valuebias.plugin", *args]!r})
        assert status == 0, status
        assert "pytest_valuebias.plugin" in sys.modules
        print("HEAVY", sorted(set({HEAVY!r}) & set(sys.modules)))
        """
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        result = pytester.run(sys.executable, script)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["HEAVY []"])
