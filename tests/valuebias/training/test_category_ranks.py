"""Files of category ranks: what is read, what is left out, and what is refused."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from valuebias.errors import ScoresError, SpecError
from valuebias.training.category_ranks import (
    CategoryRanks,
    RankGap,
    check_labels,
    names_ranks,
    parse_ranks,
)

HEADER = '"","model_id","Category","checkpoint","base_model","sum_value"'
ROWS = (
    '"1","a","Agency",100,"A",30.5',
    '"2","a","Agency",200,"A",20',
    '"3","a","Communion",100,"A",20',
    '"4","a","Communion",200,"A",40',
    '"5","b","Agency",100,NA,20',
    '"6","b","Agency",200,NA,25',
    '"7","b","Communion",100,NA,50',
    '"8","b","Communion",200,NA,30',
)
FOLDER = os.environ.get("VALUEBIAS_PUBLISHED_DATA")


def write(folder: Path, rows: Sequence[str] = ROWS, header: str = HEADER) -> Path:
    path = folder / "ranks.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def read(folder: Path, rows: Sequence[str] = ROWS, header: str = HEADER) -> CategoryRanks:
    return parse_ranks(f"ranks:{write(folder, rows, header)}")


def test_runs_and_their_gap(tmp_path: Path) -> None:
    found = read(tmp_path)
    assert (found.label, found.sides, found.repeated) == ("ranks.csv", ("Agency", "Communion"), 0)
    a, b = found.runs
    assert (a.label, a.base, b.label, b.base) == ("a", "A", "b", None)
    assert a.ranks == ((30.5, 20.0), (20.0, 40.0))
    assert (a.steps, a.differences, b.differences) == ((100, 200), (10.5, -20.0), (-30.0, -5.0))
    (gap,) = found.gaps
    assert (gap.first, gap.second) == ("a", "b")
    assert (gap.differences, gap.turns) == ((40.5, -15.0), (200,))


def test_a_gap_is_of_the_steps_in_common(tmp_path: Path) -> None:
    alone = ('"9","c","Agency",1e+05,C,2', '"10","c","Communion",1e+05,C,1')
    found = read(tmp_path, [*ROWS[:-3], ROWS[6], *alone])
    assert [run.steps for run in found.runs] == [(100, 200), (100,), (100_000,)]
    assert [(gap.first, gap.second, gap.steps) for gap in found.gaps] == [("a", "b", (100,))]


def test_what_the_file_says_besides(tmp_path: Path) -> None:
    header = "X,model_id,Category,checkpoint,base_model,sum_value,data_size,method,prompt"
    rows = (f"NA,a,{name},1,NA,{rank},85,GRM,Greatest" for name, rank in (("P", 3), ("Q", 4)))
    found = read(tmp_path, list(rows), header)
    assert found.sides == ("P", "Q")
    assert found.said == {"data_size": "85", "method": "GRM", "prompt": "Greatest"}
    assert found.gaps == ()


@given(st.lists(st.sampled_from(ROWS), max_size=20), st.randoms())
def test_repeated_rows_change_nothing(
    tmp_path_factory: pytest.TempPathFactory, more: list[str], random: object
) -> None:
    folder = tmp_path_factory.getbasetemp()
    numbered = [f'"{100 + i}",{row.partition(",")[2]}' for i, row in enumerate(more)]
    rows = [*ROWS, *numbered]
    random.shuffle(rows)  # type: ignore[attr-defined]
    found, once = read(folder, rows), read(folder)
    assert found.repeated == len(more)
    assert set(found.sides) == set(once.sides)
    flip = found.sides != once.sides
    ranks = {run.label: (run.base, run.steps, run.ranks) for run in once.runs}
    for run in found.runs:
        pairs = tuple((b, a) for a, b in run.ranks) if flip else run.ranks
        assert (run.base, run.steps, pairs) == ranks[run.label]


@given(st.lists(st.integers(-2, 2), min_size=1, max_size=9))
def test_the_places_change_where_the_sign_does(gaps: list[int]) -> None:
    gap = RankGap("a", "b", tuple(range(len(gaps))), tuple(map(float, gaps)))
    signs = [(step, value > 0) for step, value in enumerate(gaps) if value]
    expected = [s for (_, before), (s, after) in pairwise(signs) if before != after]
    assert list(gap.turns) == expected


BAD = {
    "line 10: contradicts line 2": [*ROWS, '"9","a","Agency",100,"A",31'],
    "line 10: contradicts line 6": [*ROWS, '"9","b","Agency",100,"B",20'],
    "line 7: has no Communion beside it at checkpoint 200": ROWS[:-1],
    "line 2: has 5 cells, the header 6": ['"1","a","Agency",100,30.5'],
    "line 2: model_id is empty": ['"1",NA,"Agency",100,"A",30.5'],
    "line 2: Category is empty": ['"1","a","",100,"A",30.5'],
    "line 2: checkpoint must be an integer": ['"1","a","Agency",1.5,"A",30.5'],
    "line 3: checkpoint must be an integer": [ROWS[0], '"1","a","Agency",-1,"A",30.5'],
    "line 2: sum_value must be a rank": ['"1","a","Agency",100,"A",NA'],
    "line 3: sum_value must be a rank": [ROWS[0], '"1","a","Agency",100,"A",0.5'],
    "line 2: not CSV": ['"1","a"x,"Agency",100,"A",2'],
    "ranks of two categories are compared. Seen: no row": [],
    "ranks of two categories are compared. Seen: Agency.": ROWS[:2],
    "ranks of two categories are compared. Seen: Agency, Communion, Third": [
        *ROWS,
        '"9","a","Third",100,"A",2',
    ],
    "a has more than one base_model. Seen: A, B": [
        *ROWS[:3],
        '"4","a","Communion",200,"B",40',
    ],
}


@pytest.mark.parametrize("said", BAD)
def test_rows_that_cannot_be_used_are_named(tmp_path: Path, said: str) -> None:
    with pytest.raises(ScoresError) as error:
        read(tmp_path, BAD[said])
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("model_id,Category,checkpoint", "line 1: a column is missing: sum_value"),
        (f"{HEADER},extra", "line 1: a column is unknown: extra"),
        (f"{HEADER},model_id", "line 1: a column is given twice: model_id"),
    ],
)
def test_columns_that_cannot_be_used_are_named(tmp_path: Path, header: str, said: str) -> None:
    with pytest.raises(ScoresError) as error:
        read(tmp_path, (), header)
    assert said in str(error.value)


def test_ranks_of_two_prompts_are_not_compared(tmp_path: Path) -> None:
    header = "model_id,Category,checkpoint,sum_value,prompt"
    rows = [f"{run},{side},1,2,{run}" for run in "ab" for side in "PQ"]
    with pytest.raises(ScoresError, match="on more than one prompt"):
        read(tmp_path, rows, header)


def test_how_a_file_is_named(tmp_path: Path) -> None:
    path = write(tmp_path)
    assert names_ranks(f"ranks:{path}")
    assert names_ranks("mine = ranks:x=y.csv")
    assert not names_ranks("a=b ranks:x")
    assert not names_ranks("runs/ranks:a")
    assert not names_ranks("runs/a")
    named = parse_ranks(f" mine=ranks:{path} ")
    assert (named.label, named.path) == ("mine", path)
    check_labels([named, parse_ranks(f"ranks:{path}")])
    with pytest.raises(SpecError, match="two files of category ranks have the label 'mine'"):
        check_labels([named, parse_ranks(f"mine=ranks:{path}")])
    for missing in ("ranks:", f"ranks:{tmp_path}", "ranks:nowhere.csv"):
        with pytest.raises(SpecError, match="file of category ranks not found"):
            parse_ranks(missing)


FINAL = {
    "rank_results_uf_13.csv": {"Gemma": 46.5, "Llama": -147.5, "Qwen": 299.0},
    "rank_results_uf_54.csv": {"Gemma": 33.5, "Llama": -199.0, "Qwen": 147.5},
    "rank_results_uf_100_unique.csv": {"Gemma": -112.5, "Llama": -56.5, "Qwen": 178.0},
    "rank_results_sky_80k.csv": {"Gemma": -81.5, "Llama": -215.0, "Qwen": 193.0},
    "rank_results_grm_80k.csv": {"Gemma": 73.0, "Llama": -47.0},
}
LAST = {"13": (3314,), "54": (6628,), "100_unique": (13258,)}
"""The last step of each amount of Unified Feedback."""


@pytest.mark.skipif(not FOLDER, reason="VALUEBIAS_PUBLISHED_DATA is not set")
@pytest.mark.parametrize("name", FINAL)
def test_the_published_ablation(name: str) -> None:
    path = Path(FOLDER or "") / "data" / "reward_model_training" / name
    found = parse_ranks(f"ranks:{path}")
    assert found.sides == ("Agency", "Communion")
    bases = {
        next(b for b in FINAL[FIRST] if b[:3].lower() in r.label.lower()): r for r in found.runs
    }
    assert {base: run.differences[-1] for base, run in bases.items()} == FINAL[name]
    assert len({run.steps for run in found.runs}) == 1
    if name.startswith("rank_results_uf_"):
        amount = name.removeprefix("rank_results_uf_").removesuffix(".csv")
        assert found.runs[0].steps[-1:] == LAST[amount]
    reversed_at = {
        frozenset((gap.first, gap.second)): gap.turns for gap in found.gaps if len(gap.steps) > 1
    }
    both = frozenset((bases["Gemma"].label, bases["Llama"].label))
    # Of all these runs the order of Gemma and Llama reverses in one: that of most pairs.
    if name == "rank_results_uf_100_unique.csv":
        assert reversed_at[both] == (8000,)
    else:
        assert reversed_at.get(both, ()) == ()


FIRST = "rank_results_uf_13.csv"
