"""Progress of a long search: a bar with rate and time left on a terminal, lines in a CI log."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TextIO

from valuebias.errors import visible

_LINE_SECONDS = 10.0

Advance = Callable[[int], None]


class Progress:
    """Writes progress to ``stream``, by default standard error at the time of writing.

    ``quiet`` disables all output; it is the default in a pytest-xdist worker, where several
    processes would overwrite each other's lines.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        *,
        quiet: bool | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = stream
        self._quiet = "PYTEST_XDIST_WORKER" in os.environ if quiet is None else quiet
        self._clock = clock

    @property
    def stream(self) -> TextIO:
        return self._stream if self._stream is not None else sys.stderr

    def note(self, text: str) -> None:
        """Write one line."""
        if not self._quiet:
            print(f"valuebias: {visible(text)}", file=self.stream, flush=True)

    @contextmanager
    def task(self, label: str, total: int, *, done: int = 0) -> Iterator[Advance]:
        """A task of ``total`` scores, ``done`` of them from an earlier run.

        Yields a function to call with the number of scores just finished. The rate counts only
        scores of this run.
        """
        painter: _Painter
        if self._quiet:
            painter = _Silence()
        elif self.stream.isatty():
            painter = _Bar(self.stream, visible(label), total, done)
        else:
            painter = _Lines(self.stream, visible(label), total, done, self._clock)
        try:
            yield painter.advance
        finally:
            painter.finish()


class _Painter(Protocol):
    def advance(self, scores: int) -> None: ...

    def finish(self) -> None: ...


class _Silence:
    def advance(self, scores: int) -> None:
        pass

    def finish(self) -> None:
        pass


class _Lines:
    """A first line, at most one line every ten seconds, and a last line."""

    def __init__(
        self, stream: TextIO, label: str, total: int, done: int, clock: Callable[[], float]
    ) -> None:
        self._stream, self._label, self._total, self._clock = stream, label, total, clock
        self._resumed = self._done = done
        self._start = self._last = clock()
        self._write(f"{total:,} scores" + (f", {done:,} of them stored before" if done else ""))

    def advance(self, scores: int) -> None:
        self._done += scores
        now = self._clock()
        if self._done < self._total and now - self._last >= _LINE_SECONDS:
            self._last = now
            rate = (self._done - self._resumed) / max(now - self._start, 1e-9)
            left = (self._total - self._done) / max(rate, 1e-9)
            share = self._done / self._total
            self._write(
                f"{self._done:,} of {self._total:,} ({share:.0%}), {rate:,.0f}/s, "
                f"{duration(left)} left"
            )

    def finish(self) -> None:
        state = "done" if self._done >= self._total else "stopped"
        elapsed = max(self._clock() - self._start, 1e-9)
        rate = (self._done - self._resumed) / elapsed
        self._write(
            f"{state} at {self._done:,} of {self._total:,} after {duration(elapsed)}, {rate:,.0f}/s"
        )

    def _write(self, text: str) -> None:
        print(f"valuebias: {self._label}: {text}", file=self._stream, flush=True)


class _Bar:
    def __init__(self, stream: TextIO, label: str, total: int, done: int) -> None:
        from rich import progress  # only where there is a terminal to draw on
        from rich.console import Console
        from rich.text import Text

        class Rate(progress.ProgressColumn):
            def render(self, task: progress.Task) -> Text:
                speed = task.finished_speed or task.speed
                return Text("" if speed is None else f"{speed:,.0f}/s")

        self._bar = progress.Progress(
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(),
            progress.TaskProgressColumn(),
            Rate(),
            progress.TimeRemainingColumn(elapsed_when_finished=True),
            console=Console(file=stream),
        )
        self._task = self._bar.add_task(label, total=total, completed=done)
        self._bar.start()

    def advance(self, scores: int) -> None:
        self._bar.advance(self._task, scores)

    def finish(self) -> None:
        self._bar.stop()


def duration(seconds: float) -> str:
    """A duration as text: "8 s", "2 min 10 s", "3 h 5 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
