"""Settings as texts: sizes and devices."""

from __future__ import annotations

import pytest

from valuebias.models.settings import FORMATS, parse_cue, parse_device, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [("1", 1), ("512M", 512 << 20), ("2G", 2 << 30), (" 2 GiB", 2 << 30), ("1.5k", 1536)],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "0", "0.1", "-1", "lots", "1E9", "2GG", "9" * 400, "9" * 300 + "T", "8388608T"]
)
def test_sizes_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="must be a size such as 512M or 2G"):
        parse_size(text)


@pytest.mark.parametrize("text", ["auto", "cpu", "mps", "cuda", "cuda:0", "cuda:15"])
def test_devices(text: str) -> None:
    assert parse_device(text) == text


@pytest.mark.parametrize(
    "text",
    ["", "gpu", "tpu", "CUDA", "cuda:", "cuda:x", "cuda:-1", "cuda:01", "cuda:1\n", "cpu:0",
     "cuda:\u0661", "cuda:0:1", " cpu", "meta"],
)  # fmt: skip
def test_devices_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="must be auto, cpu, mps, map, cuda or cuda:N"):
        parse_device(text)


@pytest.mark.parametrize(
    ("text", "cue"),
    [
        (r"\nAnswer:", "\nAnswer:"),
        ("\nAnswer:", "\nAnswer:"),
        ("Answer:", " Answer:"),
        ("Answer: ", " Answer:"),
        (r"A:\n", " A:\n"),
        ("", ""),
    ],
)
def test_an_answer_cue_is_what_stands_after_the_prompt(text, cue):
    assert parse_cue(text) == cue


def test_the_options_of_the_plugin_name_the_same_formats() -> None:
    from pytest_valuebias import option_table

    assert option_table.FORMATS == FORMATS
