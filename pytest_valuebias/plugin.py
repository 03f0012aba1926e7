"""The hooks and nothing else. Imports nothing heavy: every pytest run would pay for it."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from pytest_valuebias import inputs, options, outcome, short_names, startup

pytest_plugins = ["valuebias_fixtures.fixtures"]

MARKER = "valuebias: needs a model (--rm, --llm or --valuebias-checkpoints)"
NEEDS_MODEL = frozenset(
    f"_valuebias_{name}" for name in ("claim", "rm", "reference", "llm", "pair", "given")
)
"""A test that uses one of these fixtures, however indirectly, gets the marker."""


def pytest_addoption(parser: pytest.Parser) -> None:
    options.add_options(parser)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, args: list[str]
) -> Generator[None, object, object]:
    short_names.keep_specs_apart(early_config, args)
    try:
        return (yield)
    finally:  # also where a conftest cannot be loaded: --help is shown all the same
        short_names.spell_out(early_config, args)


def pytest_report_header(config: pytest.Config) -> list[str]:
    return short_names.header(config)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARKER)
    try:
        asked = config.stash[inputs.KEY] = startup.read(config)
    except pytest.UsageError as error:
        # It may speak of an option that is not ours in this suite.
        raise pytest.UsageError("\n".join([str(error), *short_names.header(config)])) from None
    run_outcome = config.stash[outcome.KEY] = outcome.Outcome()
    run = Run(asked, run_outcome)
    if asked.in_use and config.pluginmanager.register(run, "valuebias-run") is None:
        raise pytest.UsageError("a model was given, but -p no:valuebias-run prevents the run")
    if asked.in_use and not asked.is_worker and config.getoption("htmlpath", None):
        from pytest_valuebias.report.pytest_html import Page

        config.pluginmanager.register(Page(run_outcome), "valuebias-html")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if not file_path.name.endswith((".valuebias.yaml", ".valuebias.yml")):
        return None
    from pytest_valuebias.yaml_tests import SuiteFile

    return SuiteFile.from_parent(parent, path=file_path)


def pytest_itemcollected(item: pytest.Item) -> None:
    if not NEEDS_MODEL.isdisjoint(getattr(item, "fixturenames", ())):
        item.add_marker("valuebias")


def pytest_unconfigure(config: pytest.Config) -> None:
    asked = config.stash.get(inputs.KEY, None)
    if asked is not None:
        asked.close()


class Run:
    """The hooks of a run that was given a model; they are not registered in other runs."""

    def __init__(self, asked: inputs.Inputs, run_outcome: outcome.Outcome) -> None:
        self.inputs = asked
        self.outcome = run_outcome

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        startup.check(self.inputs)

    def pytest_report_header(self, config: pytest.Config) -> list[str]:
        from pytest_valuebias import baseline, reruns
        from pytest_valuebias.report.terminal import header

        return [*header(self.inputs), *baseline.header(self.inputs), *reruns.header(config)]

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(
        self, session: pytest.Session, items: list[pytest.Item]
    ) -> None:
        # First, so that -k, -m, --lf and --deselect see the shipped items like any other.
        from pytest_valuebias.collection import shipped_items

        items.extend(shipped_items(session, self.inputs))

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        from pytest_valuebias.collection import parametrize

        parametrize(metafunc, self.inputs)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        # Before the first test and outside its output capture, so that progress is seen.
        self.outcome.ran = not session.config.option.collectonly
        if self.outcome.ran and not self.inputs.is_worker:
            from pytest_valuebias.report.files import begin

            begin(self.inputs)
        if session.items and self.outcome.ran:
            from pytest_valuebias.preparation import prepare

            prepare(session.items, self.inputs)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        from pytest_valuebias import reruns
        from pytest_valuebias.gate import begin

        begin(item)
        reruns.warn(item)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None]:
        from pytest_valuebias.gate import judging

        with judging(item, self.inputs):
            yield

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        from pytest_valuebias.gate import attach

        report = yield
        attach(item, call, report)
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        # Records travel on the report itself, so that they arrive from xdist's workers as well.
        self.outcome.take(report)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.inputs.is_worker:
            return
        session.exitstatus = self.outcome.exit_status(session.exitstatus)
        if not self.outcome.ran:
            return
        from pytest_valuebias import baseline

        self.outcome.recorded = baseline.closing(self.inputs)
        if self.inputs.values["update-baseline"]:
            session.exitstatus = baseline.update(self.inputs, self.outcome, session.exitstatus)
        from pytest_valuebias.report.files import write

        session.exitstatus = write(session, self.inputs, self.outcome)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        from pytest_valuebias.report.terminal import summary

        summary(terminalreporter, self.inputs, self.outcome)
        for line in (*self.outcome.recorded, *self.outcome.written):
            terminalreporter.write_line(line, bold=True)
