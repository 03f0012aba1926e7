"""What is said while a search runs, on a terminal and in a log."""

from __future__ import annotations

import io

import pytest

from valuebias.progress import Progress, duration


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def test_a_log_gets_the_first_line_one_every_ten_seconds_and_the_last():
    stream, clock = io.StringIO(), Clock()
    with Progress(stream, quiet=False, clock=clock).task("model", 10_000, done=2_000) as advance:
        for _ in range(8):
            clock.now += 4
            advance(1_000)
    assert stream.getvalue().splitlines() == [
        "valuebias: model: 10,000 scores, 2,000 of them stored before",
        "valuebias: model: 5,000 of 10,000 (50%), 250/s, 20 s left",
        "valuebias: model: 8,000 of 10,000 (80%), 250/s, 8 s left",
        "valuebias: model: done at 10,000 of 10,000 after 32 s, 250/s",
    ]


def test_a_search_that_stops_says_where():
    stream = io.StringIO()

    def search():
        with Progress(stream, quiet=False, clock=Clock()).task("model", 10) as advance:
            advance(4)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search()
    assert "valuebias: model: stopped at 4 of 10" in stream.getvalue()


def test_a_terminal_gets_a_bar_with_rate_and_share(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    stream = Terminal()
    with Progress(stream, quiet=False).task("[red]model[/red] \x1b]0;title\x07", 200) as advance:
        advance(50)
        advance(150)
    out = stream.getvalue()
    assert "[red]model[/red]" in out, "a label is no markup"
    assert "\x1b]0;" not in out
    assert "100%" in out
    assert "/s" in out


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()], ids=["log", "terminal"])
def test_quiet_says_nothing(stream):
    progress = Progress(stream, quiet=True)
    progress.note("loading")
    with progress.task("model", 3) as advance:
        advance(3)
    assert stream.getvalue() == ""


def test_workers_of_xdist_are_quiet(monkeypatch, capsys):
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw0")
    Progress().note("loading")
    monkeypatch.delenv("PYTEST_XDIST_WORKER")
    Progress().note("hello \x1b[31m")
    assert capsys.readouterr().err == "valuebias: hello \\x1b[31m\n"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.6, "1 min 0 s"), (130, "2 min 10 s"), (11_100, "3 h 5 min")],
)
def test_durations(seconds, text):
    assert duration(seconds) == text
