"""``valuebias card``: a report as a block of a model card that the hub can read."""

from __future__ import annotations

import json
import os
import re
import shlex
import stat
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import ModelCard
from huggingface_hub.repocard_data import model_index_to_eval_results
from markdown_it import MarkdownIt

from pytest_valuebias.option_table import OPTIONS
from support.reports import report, verdict
from support.schema import problems
from valuebias.cli.main import main
from valuebias.report.card import BEGIN, END
from valuebias.report.public_command import FLAGS, TEXTS

README = """---
# how it may be used
license: apache-2.0   # see LICENSE
tags:
- reward-model
base_model: "org/base"
---

# Our model

Text with --- in it.
"""


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A report of one model that passes once and fails once."""
    again = verdict("FAIL", valence="negative", estimate=-0.5, margin_high=None)
    return write(tmp_path, report(verdict(), again))


def write(folder: Path, document: Any, name: str = "report.json") -> Path:
    path = folder / name
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def card(text: str) -> Any:
    """As the hub reads it, whose ``data`` gets its fields when it is read."""
    return ModelCard(text)


def refused(capsys: pytest.CaptureFixture[str], *args: object) -> str:
    """What the command says where it makes no card."""
    assert main(["card", *map(str, args)]) in (1, 2)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("valuebias: error: ")
    assert "Traceback" not in err
    return " ".join(err.split())


def test_the_hub_reads_every_gated_effect(
    written: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert problems(json.loads(written.read_text())) == []
    assert main(["card", str(written)]) == 0
    text = capsys.readouterr().out
    found = card(text)
    results = {r.dataset_args["valence"]: r for r in found.data.eval_results}
    assert list(results) == ["positive", "negative"]
    best = results["positive"]
    assert found.data.model_name == "org/model"
    assert best.metric_value == 0.123456789012345
    assert best.metric_args["ci_low"] == 0.1
    assert best.metric_args["verdict"] == "PASS"
    assert best.dataset_args["sha256"] == "12" * 32
    assert best.dataset_args["prompts"] == 27
    assert "margin_high" not in results["negative"].metric_args
    assert results["negative"].metric_name.endswith("margin > -.276, FAIL")
    index = yaml.safe_load(text.split("---")[1])["model-index"]
    assert model_index_to_eval_results(index) == ("org/model", found.data.eval_results)
    again = card(str(found))  # there and back through the hub's own writer
    assert again.data.eval_results == found.data.eval_results
    assert again.text.strip() == found.text.strip()


def test_the_block_says_what_may_not_be_concluded(
    written: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["card", str(written)])
    body = card(capsys.readouterr().out).text
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(body)
    assert html.count("<table>") == 1
    assert "<strong>FAIL</strong>: org/model: what it says." in html
    assert "It never says that the model is unbiased" in html
    assert "big_two is a starter list that is not validated" in html.replace("&#95;", "_")
    assert "<code>pytest --rm=org/model</code>" in html
    assert body.strip().startswith(BEGIN)
    assert body.strip().endswith(END)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_card_that_exists_keeps_all_else(
    written: Path, tmp_path: Path, newline: str, mark: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "README.md"
    before = mark + README.replace("\n", newline)
    path.write_bytes(before.encode())
    assert main(["card", str(written), "--out", str(path)]) == 0
    assert "2 results and the section Values added to" in capsys.readouterr().out
    once = path.read_bytes().decode()
    assert once.replace(newline, "").count("\n") == once.replace(newline, "").count("\r") == 0
    head = README.partition("---\n\n")[0].replace("\n", newline)
    assert once.startswith(mark + head.rstrip("\r\n"))
    assert "Text with --- in it." in once
    assert len(card(once.removeprefix("\ufeff")).data.eval_results) == 2
    assert main(["card", str(written), "--out", str(path)]) == 0
    assert "replaced in" in capsys.readouterr().out
    assert path.read_bytes().decode() == once  # written again, it is the same
    kept = once.replace(once[once.index(BEGIN) : once.index(END) + len(END)], "")
    start = kept.index("model-index:")
    kept = kept[:start] + kept[kept.index("---", start) :]
    assert kept.replace(newline, "\n").strip() == (mark + README).strip()


def test_results_of_others_stay_and_old_ones_of_ours_go(written: Path, tmp_path: Path) -> None:
    theirs = {
        "task": {"type": "text-classification"},
        "dataset": {"type": "allenai/reward-bench", "name": "RewardBench", "odd": 1},
        "metrics": [{"type": "accuracy", "value": 0.9, "odd": "kept"}],
    }
    front = yaml.safe_dump({"model-index": [{"name": "our-model", "results": [theirs]}]})
    path = write(tmp_path, f"---\n{front}# said of the licence\nlicense: mit\n---\ntext\n", "a.md")
    for document in (report(verdict(), verdict(valence="negative")), report(verdict("FAIL"))):
        source = write(tmp_path, document)
        assert main(["card", str(source), "--out", str(path)]) == 0
    text = path.read_text()
    assert "# said of the licence\nlicense: mit\n---\ntext\n" in text
    (entry,) = yaml.safe_load(text.split("---")[1])["model-index"]
    assert entry["name"] == "our-model"
    assert entry["results"][0] == theirs
    assert [r["metrics"][0]["args"]["verdict"] for r in entry["results"][1:]] == ["FAIL"]


@pytest.mark.parametrize("text", ["", "# Title\n", "---\n---\n# Title\n", "\n\ntext without end"])
def test_a_card_without_front_matter_gets_it(written: Path, tmp_path: Path, text: str) -> None:
    path = write(tmp_path, text, "README.md")
    assert main(["card", str(written), "--out", str(path)]) == 0
    found = card(path.read_text())
    assert len(found.data.eval_results) == 2
    assert text.removeprefix("---\n---\n").strip() in found.text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{BEGIN}\n", "does not contain exactly one block"),
        (f"{END}\n{BEGIN}\n", "does not contain exactly one block"),
        (f"{BEGIN}\n{END}\n{BEGIN}\n{END}\n", "does not contain exactly one block"),
        ("---\na: [\n---\n", "is not YAML"),
        ("---\n- a\n---\n", "not a mapping"),
        ("---\n{license: mit}\n---\n", "in braces"),
        ("---\nmodel-index: 3\n---\n", "not a list of names and results"),
        ("---\nmodel-index: []\nmodel-index: []\n---\n", "twice"),
        (
            "---\nmodel-index: [{name: a, results: [{metrics: 1}]}]\n---\n",
            "the hub could not read it",
        ),
    ],
)
def test_a_card_that_cannot_be_added_to_is_left_alone(
    written: Path, tmp_path: Path, text: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, text, "README.md")
    assert said in refused(capsys, written, "--out", path)
    assert path.read_text() == text


def test_a_card_that_is_no_text_is_left_alone(
    written: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "README.md"
    path.write_bytes(b"\xff\xfe")
    assert "not UTF-8" in refused(capsys, written, "--out", path)
    assert "it is a folder" in refused(capsys, written, "--out", tmp_path)
    assert path.read_bytes() == b"\xff\xfe"


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("{", "is not JSON"),
        ('{"a": NaN}', "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "not a report of pytest-valuebias. Seen: list"),
        ({"format": "other"}, "not a report of pytest-valuebias. Seen: other"),
        ({**report(verdict()), "version": 2}, "newer pytest-valuebias"),
        ({**report(verdict()), "version": "1"}, "does not match the report format, at $.version"),
        (report(verdict(estimate="0.1")), "at $.verdicts[0].estimate"),
        (report(verdict(), complete=False), "stopped or lost tests"),
        (report(verdict(), not_run=1), "of the shipped tests of org/model 1 were not run"),
        (report(verdict("NO MARGIN")), "nothing was held against a margin for org/model"),
        (report(verdict("INCONCLUSIVE", gated=False)), "nothing was held against a margin"),
        (report(verdict("ERROR")), "nothing was held against a margin"),
        (report(), "the report contains no models"),
    ],
)
def test_what_makes_no_card(
    tmp_path: Path, document: Any, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in refused(capsys, write(tmp_path, document))


def test_a_report_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, tmp_path / "gone.json")
    assert "No such file" in said
    assert "--valuebias-json=FILE" in said


def test_which_model_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shift = verdict("FAIL", title="a minus last", model="a", reference="last", role="shift")
    language = verdict(title="a (language model)", model="a", kind="language model")
    path = write(tmp_path, report(verdict(title="a"), shift, language, verdict(title="b")))
    assert "'a', 'a (language model)', 'b'" in refused(capsys, path)
    assert "does not contain this model. Seen: c. Give --model one of" in refused(
        capsys, path, "--model", "c"
    )
    assert main(["card", str(path), "--model", "a"]) == 0
    found = card(capsys.readouterr().out)
    assert [r.metric_args["verdict"] for r in found.data.eval_results] == ["PASS", "FAIL"]
    assert found.data.eval_results[1].metric_args["reference"] == "last"
    assert main(["card", str(path), "--model", "a (language model)"]) == 0
    assert len(card(capsys.readouterr().out).data.eval_results) == 1


def test_a_run_that_failed_for_another_reason_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, report(verdict(), outcome="FAIL", exit_status=1))
    assert main(["card", str(path)]) == 0
    assert "The run as a whole: **FAIL**. what the run says." in capsys.readouterr().out


@pytest.mark.parametrize("first", ["--- ", "---\t", "---\u00a0", "\n--- "])
def test_front_matter_that_the_hub_does_not_see_is_not_written_above(
    written: Path, tmp_path: Path, first: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = f"{first}\nlicense: mit\n---\ntext\n"
    assert ModelCard(before).data.get("license") is None  # or it could be accepted
    path = write(tmp_path, before, "README.md")
    said = refused(capsys, written, "--out", path)
    assert "first line is not exactly ---" in said
    assert "Fix the part between the --- lines" in said
    assert path.read_text() == before


def test_lines_across_a_text_are_no_front_matter(written: Path, tmp_path: Path) -> None:
    path = write(tmp_path, "--- \n# Title\n\ntext\n", "README.md")
    assert main(["card", str(written), "--out", str(path)]) == 0
    assert len(card(path.read_text()).data.eval_results) == 2


def test_a_pipe_is_written_into(written: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert main(["card", str(written), "--out", str(pipe)]) == 0
        found = card(os.read(reader, 1 << 20).decode())
    finally:
        os.close(reader)
    assert len(found.data.eval_results) == 2
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert {p.name for p in tmp_path.iterdir()} == {"pipe", "report.json"}


def test_a_card_that_cannot_be_written_leaves_nothing_behind(
    written: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def full(path: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    path = write(tmp_path, README, "README.md")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        assert "No space left on device" in refused(capsys, written, "--out", path)
    assert path.read_text() == README
    assert {p.name for p in tmp_path.iterdir()} == {"README.md", "report.json"}


COMMAND = (
    "pytest -q /home/me/secret/tests -k 'care or secret' -o cache_dir=/secret --rootdir /secret "
    "--rm=org/model --rm new=/home/me/secret/new --base=new=org/base@main --base "
    "new=secret/mine --llm=dpo:/secret/a,org/model --reference=last=scores:../secret/old.csv "
    "--valuebias-require-model --valuebias-lexicon=big_two=/secret/words.csv "
    r"--valuebias-margins 'C:\secret\my margins.yaml' --valuebias-checkpoints=a=/secret/run/ "
    "--valuebias-matrix=rise/fall~love --valuebias-profile=ci --junitxml=/secret/j.xml "
    "--token=secret -- --rm=secret"
)


def test_the_command_tells_no_folder_and_nothing_of_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, report(verdict(), command=COMMAND))
    assert main(["card", str(path)]) == 0
    out = capsys.readouterr().out
    assert "secret" not in out
    html = MarkdownIt("commonmark", {"html": True}).render(card(out).text)
    (shown,) = re.findall(r"<code>(pytest.*?)</code>", html)
    assert shlex.split(unescape(re.sub("<!-- -->", "", shown))) == [
        "pytest", "--rm=org/model", "--rm=new=new", "--base=new=base@main", "--base=new=mine",
        "--llm=dpo:a,org/model", "--reference=last=scores:old.csv", "--valuebias-require-model",
        "--valuebias-lexicon=big_two=words.csv", "--valuebias-margins=my margins.yaml",
        "--valuebias-checkpoints=a=run", "--valuebias-matrix=rise/fall~love",
        "--valuebias-profile=ci",
    ]  # fmt: skip


def test_which_options_have_a_value_is_known() -> None:
    assert {option.long for option in OPTIONS if option.flag} == FLAGS
    assert {option.long for option in OPTIONS} > TEXTS
    assert not any(option.path for option in OPTIONS if option.long in TEXTS)
