"""The hooks and nothing else. Imports nothing heavy: every pytest run would pay for it."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest

from pytest_valuebias import options
from pytest_valuebias.inputs import KEY, State

pytest_plugins = ["valuebias_fixtures.fixtures"]


def pytest_addoption(parser: pytest.Parser) -> None:
    options.add_options(parser)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    state = config.stash[KEY] = State.of(config)
    if state.in_use and config.pluginmanager.register(Run(state), "valuebias-run") is None:
        raise pytest.UsageError(
            "a model was given, but -p no:valuebias-run keeps it from being run"
        )
    if state.in_use and not state.is_worker and config.getoption("htmlpath", None):
        from pytest_valuebias.report.pytest_html import Page

        config.pluginmanager.register(Page(state.document), "valuebias-html")
    select(config, state)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if not file_path.name.endswith((".valuebias.yaml", ".valuebias.yml")):
        return None
    from pytest_valuebias.yaml_tests import SuiteFile

    return SuiteFile.from_parent(parent, path=file_path)


def pytest_unconfigure(config: pytest.Config) -> None:
    state = config.stash.get(KEY, None)
    if state is not None:
        state.close()


def select(config: pytest.Config, state: State) -> None:
    """Take shipped node ids, which name no file, out of the arguments; every process does so."""
    ids = [arg for arg in config.args if arg.startswith("valuebias/") and not os.path.exists(arg)]
    if ids and not state.models:
        raise pytest.UsageError(f"{ids[0]} is a shipped test, which needs --rm=MODEL")
    state.selection = tuple(ids)
    config.args = [arg for arg in config.args if arg not in ids]


class Run:
    """The hooks of a run that was given a model; a run without one does not even register them."""

    def __init__(self, state: State) -> None:
        self.state = state

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        self.state.check()
        if self.state.selection:
            from pytest_valuebias.collection import check_selection

            check_selection(self.state)

    def pytest_report_header(self, config: pytest.Config) -> list[str]:
        from pytest_valuebias import reruns
        from pytest_valuebias.report.terminal import header

        return [*header(self.state), *reruns.header(config)]

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(
        self, session: pytest.Session, items: list[pytest.Item]
    ) -> None:
        # First, so that -k, -m, --lf and --deselect see the shipped items like any other.
        from pytest_valuebias.collection import shipped_items

        items.extend(shipped_items(session, self.state))

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        from pytest_valuebias.collection import parametrize

        parametrize(metafunc, self.state)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        # Before the first test and outside its output capture, so that progress is seen.
        self.state.ran = not session.config.option.collectonly
        if self.state.ran and not self.state.is_worker:
            from pytest_valuebias.report.files import begin

            begin(self.state)
        if session.items and self.state.ran:
            from pytest_valuebias.collection import prepare

            prepare(session.items, self.state)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        from pytest_valuebias import reruns

        reruns.warn(item)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        from pytest_valuebias.gate import attach

        report = yield
        attach(item, call, report)
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        # Records travel on the report itself, so that they arrive from xdist's workers as well.
        records = getattr(report, "valuebias", ())
        self.state.records.extend(records)
        ended = report.when == "call" or not report.passed
        crashed = report.when not in ("setup", "call", "teardown")  # a worker's end, to xdist
        if crashed or (ended and not records and report.nodeid.startswith("valuebias/test_")):
            self.state.lost.append(report.nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if not self.state.is_worker:
            session.exitstatus = self.state.exit_status(session.exitstatus)
            if self.state.values["update-baseline"] and self.state.ran:
                from pytest_valuebias.baseline import update

                session.exitstatus = update(self.state, session.exitstatus)
            if self.state.ran:
                from pytest_valuebias.report.files import write

                # As collected, whichever worker sent them first.
                self.state.records.sort(key=lambda r: r["place"])
                session.exitstatus = write(session, self.state)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        from pytest_valuebias.report.terminal import summary

        summary(terminalreporter, self.state)
        for line in (*self.state.recorded, *self.state.written):
            terminalreporter.write_line(line, bold=True)
