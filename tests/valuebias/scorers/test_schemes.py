"""Model specs: every form, every refusal, and that options can be parsed without heavy imports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from valuebias.errors import SpecError
from valuebias.models.spec import DEMOS, check_labels, check_model
from valuebias.scorers.schemes import parse_spec


def _model(path: Path) -> Path:
    path.mkdir(parents=True)
    (path / "config.json").write_text(json.dumps({"model_type": "llama"}))
    (path / "model.safetensors").touch()
    return path


@pytest.mark.parametrize(
    ("text", "label", "scheme", "target", "revision"),
    [
        ("org/name", "org/name", "hub", "org/name", None),
        (" org/name ", "org/name", "hub", "org/name", None),
        ("org/name@main", "org/name@main", "hub", "org/name", "main"),
        (
            "org/na.me-v0.2@refs/pr/3",
            "org/na.me-v0.2@refs/pr/3",
            "hub",
            "org/na.me-v0.2",
            "refs/pr/3",
        ),
        ("new=org/name@v1", "new", "hub", "org/name", "v1"),
        ("demo:agency", "demo:agency", "demo", "agency", None),
        ("mine=demo:neutral", "mine", "demo", "neutral", None),
    ],
)
def test_forms(text: str, label: str, scheme: str, target: str, revision: str | None) -> None:
    spec = parse_spec(text)
    assert (spec.label, spec.scheme, spec.target, spec.revision) == (
        label,
        scheme,
        target,
        revision,
    )
    assert spec.text == text


def test_local_directories_are_labelled_by_their_last_component(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = _model(tmp_path / "runs" / "release-2")
    monkeypatch.chdir(tmp_path)
    for text in ("runs/release-2", "runs/release-2/", "./runs/release-2", str(model)):
        spec = parse_spec(text)
        assert (spec.label, spec.scheme, spec.target) == ("release-2", "local", str(model))
    assert parse_spec("v2=runs/release-2").label == "v2"
    monkeypatch.chdir(model)
    assert parse_spec(".").label == "release-2"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert parse_spec("home=~/runs/release-2").target == str(model)


def test_an_equals_sign_in_a_path_is_not_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model = _model(tmp_path / "lr=1e-5" / "final=1")
    for text in ("lr=1e-5/final=1", f"{model}", "./lr=1e-5/final=1"):
        assert parse_spec(text).label == "final=1"
    named = parse_spec("best=lr=1e-5/final=1")
    assert (named.label, named.target) == ("best", str(model))
    scores = tmp_path / "run=3.csv"
    scores.write_text("response\n")
    assert parse_spec("scores:run=3.csv").label == "run=3.csv"
    with pytest.raises(SpecError, match="not an existing directory"):
        parse_spec("./lr=2e-5/final")
    with pytest.raises(SpecError, match="not an existing directory"):
        parse_spec("runs/lr=2e-5/final")


def test_adapters_and_score_files(tmp_path: Path) -> None:
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA"}))
    assert parse_spec(str(adapter)).scheme == "local"
    table = tmp_path / "old.parquet"
    table.touch()
    spec = parse_spec(f"scores:{table}")
    assert (spec.label, spec.scheme, spec.target) == ("old.parquet", "scores", str(table))
    assert parse_spec(f"old=scores:{table}").label == "old"


def test_a_dpo_model_is_two_language_models(tmp_path: Path) -> None:
    spec = parse_spec("dpo:org/policy@v2, demo:agency")
    reference, policy = spec.parts
    assert (spec.label, spec.scheme) == ("dpo:org/policy@v2,demo:agency", "dpo")
    assert (policy.target, policy.revision, reference.scheme) == ("org/policy", "v2", "demo")
    named = parse_spec(f"ours=dpo:{_model(tmp_path / 'policy')},org/reference")
    assert (named.label, named.parts[1].scheme) == ("ours", "local")
    assert (
        parse_spec(f"dpo:{tmp_path / 'policy'},org/reference").label == "dpo:policy,org/reference"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dpo:org/policy", "two language models"),
        ("dpo:org/policy,", "two language models"),
        ("dpo:a/b,c/d,e/f", "two language models"),
        ("dpo:org/policy,dpo:org/policy,org/reference", "two language models"),
        ("", "empty model spec"),
        ("  ", "empty model spec"),
        ("name=", "empty spec"),
        ("name=  ", "empty spec"),
        ("=org/name", "invalid model name"),
        ("a b=org/name", "invalid model name"),
        ("a\x1bb=org/name", "invalid model name"),
        ("gpt2", "not an existing directory"),
        ("x" * 5000, "not an existing directory"),
        ("scores:" + "x" * 5000, "not found"),
        ("./missing", "not an existing directory"),
        ("/missing/model", "not an existing directory"),
        ("org/name/more", "not an existing directory"),
        ("org/name@", "revision"),
        ("org/name@a b", "revision"),
        ("demo:", "unknown embedded model"),
        ("demo:care", r"unknown embedded model.*demo:agency"),
        ("s3://bucket/model", "'s3' is not a known scheme"),
        ("scores:", "not found"),
        ("scores:missing.csv", "not found"),
    ],
)
def test_refusals(text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SpecError, match=message):
        parse_spec(text)


def test_paths_that_hold_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tests").mkdir()
    with pytest.raises(SpecError, match="not a model directory"):
        parse_spec("tests/")
    (tmp_path / "tests" / "config.json").write_text("[]")
    with pytest.raises(SpecError, match="not a model directory"):
        parse_spec("tests/")
    _model(tmp_path / "out" / "checkpoint-500")
    with pytest.raises(SpecError, match=r"Did you mean .*checkpoint-500"):
        parse_spec("out")
    (tmp_path / "scores.csv").touch()
    with pytest.raises(SpecError, match=r"scores:scores\.csv"):
        parse_spec("scores.csv")
    _model(tmp_path / "org" / "name")
    with pytest.raises(SpecError, match="no revision"):
        parse_spec("org/name@main")


def test_the_embedded_models_are_those_there_are() -> None:
    paths = pytest.importorskip("valuebias.organisms.paths")
    assert paths.NAMES == DEMOS


def test_labels_must_differ(tmp_path: Path) -> None:
    a, b = _model(tmp_path / "a" / "final"), _model(tmp_path / "b" / "final")
    check_labels([parse_spec(f"a={a}"), parse_spec(f"b={b}")])
    with pytest.raises(SpecError, match=r"label 'final'.*first=.*second="):
        check_labels([parse_spec(str(a)), parse_spec(str(b))])
    with pytest.raises(SpecError, match=r"first=org/x second=org/y"):
        check_labels([parse_spec("m=org/x"), parse_spec("m=org/y")])


@given(st.text(max_size=40))
@example("~\0")
@example("a/\0=")
def test_any_text_is_a_spec_or_a_spec_error(text: str) -> None:
    try:
        spec = parse_spec(text)
    except SpecError:
        return
    assert spec.label
    assert spec.target
    assert spec.label.isprintable()


def test_specs_import_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from valuebias.scorers.schemes import parse_spec\n"
        "from valuebias.models.fingerprint import fingerprint\n"
        "from valuebias.models.settings import Settings\n"
        "spec, settings = parse_spec(sys.argv[1]), Settings(device='cpu')\n"
        "assert len(fingerprint(spec, settings)) == 64\n"
        "heavy = {'torch', 'transformers', 'numpy', 'peft', 'safetensors'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    subprocess.run(
        [sys.executable, "-c", code, str(_model(tmp_path / "model"))], check=True, env=environment
    )


def test_a_baseline_is_a_file_that_exists_and_no_model(tmp_path):
    (tmp_path / "last.json").write_text("{}")
    spec = parse_spec(f"last=baseline:{tmp_path / 'last.json'}")
    assert (spec.label, spec.scheme, spec.target) == (
        "last",
        "baseline",
        str(tmp_path / "last.json"),
    )
    with pytest.raises(SpecError, match="not a model"):
        check_model(spec)
    check_model(parse_spec("demo:agency"))
    with pytest.raises(SpecError, match=r"does not exist.*--valuebias-update-baseline"):
        parse_spec("baseline:missing.json")
