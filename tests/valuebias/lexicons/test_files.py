"""Lexicon files of every format, and what is wrong with some of them."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest

from valuebias.errors import LexiconError
from valuebias.lexicons.files import load_lexicon
from valuebias.lexicons.lexicon import Lexicon

ODD = ("null", "NA", "nan", "true", "no", "1e3", "007", "~", "=1+1")


def read(tmp_path: Path, name: str, content: str | bytes) -> Lexicon:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return load_lexicon("mine", path)


def test_dic(tmp_path):
    text = (
        "\r\n%\t\t\r\n01                    Care_Virtue\r\n2\tcare.vice\r\n  %  \r\n\t\t\r\n"
        "safe*\t\t\t01\t\r\nbenefit*        \t01           \r\n\r\nharm 2\r\n"
        "eye for an eye\t2\r\nmixed   01  2\r\nboth\t01\t2\r\n"
        "catch 22\t2\r\nnull\t1\r\nNA\t1\r\nharm\t02\r\n"
    )
    lexicon = read(tmp_path, "a.dic", text)
    assert lexicon.categories == {
        "care.virtue": ("safe*", "benefit*", "mixed", "both", "null", "NA"),
        "care.vice": ("harm", "eye for an eye", "mixed", "both", "catch 22"),
    }
    assert lexicon.notes == ("care.vice: 1 repeated entries counted once",)
    assert read(tmp_path, "b.dic", text.replace("\r\n", "\n")).digest == lexicon.digest


HEAD = "%\n1\tcare\n2\tharm\n%\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("safe\t1\n", "line 1: a .dic file must begin with its categories"),
        ("%\n1\tcare\nsafe\t1\n", "line 1: a .dic file must begin with its categories"),
        ("%\n1\tcare\n1\tharm\n%\nsafe\t1\n", "line 3: duplicate category number"),
        ("%\none\tcare\n%\nsafe\t1\n", "line 2: not a category"),
        (f"{HEAD}safe\t{'9' * 5000}\n", "line 5: no category 999"),
        (f"{HEAD}safe\t3\n", "line 5: no category 3 was declared"),
        (f"{HEAD}\nsafe\n", "line 6: not a word and its categories. Seen: safe"),
        (f"{HEAD}1\n", "line 5: not a word and its categories"),
        (f"{HEAD}like\t(2) 1/2\n", "line 5: not a word and its categories"),
        (f"{HEAD}like\t1/2\n", "line 5: not a word and its categories"),
        (f"{HEAD}like\t<of>1/\n", "line 5: not a word and its categories"),
        (f"{HEAD}\t1\n", "line 5: not a word and its categories"),
        (f"{HEAD}a*b\t1\n", "line 5: a wildcard must be at the end"),
        (f"{HEAD}*\t1\n", "line 5: a wildcard must be at the end"),
        (
            f"{HEAD}sa\x07fe\t1\n",
            r"line 5: a word contains an invisible character. Seen: sa\\x07fe",
        ),
        (HEAD, "contains no words"),
    ],
)
def test_dic_mistakes(tmp_path, text, message):
    with pytest.raises(LexiconError, match=message) as error:
        read(tmp_path, "a.dic", text)
    assert str(tmp_path / "a.dic") in str(error.value)


def test_words_of_any_script(tmp_path):
    words = ("می‌خواهم", "自由", "liberté", "don't", "co-operate")
    lexicon = read(tmp_path, "a.dic", HEAD + "".join(f"{word}\t1\n" for word in words))
    assert lexicon.categories["care"] == words


@pytest.mark.parametrize("end", ["csv", "yaml"])
def test_letters_are_composed(tmp_path, end):
    texts = {
        "csv": "category,word,family\nGüte,Güte,Güte\nGüte,gütig,Güte\n",
        "yaml": "categories: {Güte: [Güte, gütig]}\nfamilies: {Güte: Güte, gütig: Güte}\n",
    }
    one, other = (
        read(tmp_path, f"a.{end}", unicodedata.normalize(form, texts[end]))
        for form in ("NFC", "NFD")
    )
    assert one.categories == other.categories == {"güte": ("Güte", "gütig")}
    assert one.digest == other.digest
    assert one.family("gütig") == other.family("Güte")
    assert one.notes == ()


def test_words_stemmed_by_the_rules_of_another_language_are_told(tmp_path):
    lexicon = read(tmp_path, "a.csv", "category,word\na,Güte\na,Größe\na,Macht\na,für*\n")
    assert lexicon.notes == (
        "2 words with letters beyond A to Z have no declared family: they are stemmed as if they "
        "were English",
    )


def test_a_regular_expressions_dot_is_dropped_and_said(tmp_path):
    lexicon = read(tmp_path, "a.dic", f"{HEAD}authoritative.*\t1\nharm\t2\n")
    assert lexicon.categories["care"] == ("authoritative*",)
    assert lexicon.notes == ("line 5: 'authoritative.*' was read as 'authoritative*'",)


def test_a_description_behind_a_category(tmp_path):
    lexicon = read(tmp_path, "a.dic", "%\n1\tfunction (Function Words)\n%\nthe\t1\n")
    assert list(lexicon.categories) == ["function"]


def test_a_category_without_words_is_left_out_and_said(tmp_path):
    lexicon = read(tmp_path, "a.dic", f"{HEAD}safe\t1\n")
    assert list(lexicon.categories) == ["care"]
    assert lexicon.notes == ("harm: left out, it has no words",)


@pytest.mark.parametrize(
    "header", ["Category,token_decoded", "category,word", "Foundation,DicTerm"]
)
def test_csv_with_a_category_column(tmp_path, header):
    rows = "".join(f'Agency,"{word}"\n' for word in ODD)
    lexicon = read(tmp_path, "a.csv", f'{header}\n{rows}\nCare_Vice,"a,  b"\nAgency,null\n')
    assert lexicon.categories == {"agency": ODD, "care.vice": ("a, b",)}
    assert lexicon.notes == ("agency: 1 repeated entries counted once",)


@pytest.mark.parametrize("name", ["a.dicx", "a.csv", "a.tsv"])
def test_a_column_for_each_category(tmp_path, name):
    rows = [
        "DicTerm,Agency,Care_Vice",
        *(f"{word},X," for word in ODD),
        "harm,NA,x",
        "both,X,X",
        "none,0,NA",
    ]
    text = "\r\n".join(rows) + "\r\n"
    if name.endswith("tsv"):
        text = text.replace(",", "\t")
    lexicon = read(tmp_path, name, text)
    assert lexicon.categories == {"agency": (*ODD, "both"), "care.vice": ("harm", "both")}
    assert lexicon.notes == ("1 words left out, they are in no category",)


def test_one_lexicon_in_every_format_has_one_digest(tmp_path):
    words = "".join(f"{word}\t1\n" for word in ODD)
    files = {
        "a.dic": f"%\n1 agency\n2 care.vice\n%\n{words}harm\t2\n",
        "a.dicx": "w,Agency,Care_Vice\n".replace("w", "word", 1)
        + "".join(f"{word},X,\n" for word in ODD)
        + "harm,,X\n",
        "a.csv": "category,word\nCare_Vice,harm\n" + "".join(f"Agency,{w}\n" for w in ODD),
        "a.yaml": "categories:\n  agency: [null, NA, nan, true, no, 1e3, 007, ~, '=1+1']\n"
        "  care.vice: [harm]\n",
        "b.yml": "categories:\n  Care_Vice: ['harm']\n  Agency:\n"
        + "".join(f"    - '{w}'\n" for w in ODD),
    }
    digests = {read(tmp_path, name, text).digest for name, text in files.items()}
    assert len(digests) == 1


def test_families_of_the_file(tmp_path):
    lexicon = read(
        tmp_path, "a.csv", "category;word;family;note\nagency;liberty;freedom;\nagency;win;win;x\n"
    )
    assert lexicon.family("liberty") == "freedom"
    assert lexicon.notes == ("columns not read: note",)
    with pytest.raises(LexiconError, match="line 3: a word has two families"):
        read(tmp_path, "a.csv", "category,word,family\nagency,win,a\ncommunion,win,b\n")
    with pytest.raises(LexiconError, match="line 2: no family"):
        read(tmp_path, "a.csv", "category,word,family\nagency,win,\n")


def test_facets_of_the_file(tmp_path):
    table = read(
        tmp_path,
        "a.csv",
        "word,category,family,facet\nliberty,agency,freedom,being free\nwin,agency,win, \n",
    )
    assert table.facets == {"liberty": "being free"}
    assert (table.facet("liberty"), table.facet("win")) == ("being free", "")
    marks = read(tmp_path, "a.dicx", "DicTerm,Agency,Facet\nliberty,X,being  free\nwin,X,\n")
    assert list(marks.categories) == ["agency"]
    assert marks.facets == table.facets
    written = read(
        tmp_path,
        "a.yaml",
        "categories: {agency: [liberty, win]}\nfamilies: {liberty: freedom, win: win}\n"
        "facets: {liberty: being free}\n",
    )
    assert written.facets == table.facets
    assert written.digest == table.digest != marks.digest
    paths = read(tmp_path, "b.csv", "word,category,facet\nfame,a,power / high  rank\nwin,a,\n")
    assert paths.facet("fame") == "power/high rank"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "a.csv",
            "word,category,facet\nwin,a,x\nlose,a,\nwin,b,y\n",
            "line 4: a word has two facets. Seen: win",
        ),
        (
            "a.csv",
            "word,category,facet\nwin,a,x\nwins,a,y\n",
            r"line 3: two words of one family have two facets. Seen: win \(x\), wins \(y\)",
        ),
        (
            "a.yaml",
            "categories: {a: [win, lose]}\nfamilies: {win: x, lose: x}\n"
            "facets:\n  win: one\n  lose: two\n",
            "line 5: two words of one family have two facets",
        ),
        (
            "a.yaml",
            "categories: {a: [win]}\nfacets: {lose: x}\n",
            "line 2: a facet for a word that is in no category",
        ),
        ("a.yaml", "categories: {a: [win]}\nfacets: {win: ' '}\n", "line 2: no facet"),
        (
            "a.csv",
            "word,category,facet\nwin,a,power/\n",
            "line 2: a facet's path has an empty part. Seen: power/",
        ),
        ("a.yaml", "categories: {a: [win]}\nfacets: [win]\n", "line 2: `facets` is not a mapping"),
    ],
)
def test_mistakes_in_facets(tmp_path, name, text, message):
    with pytest.raises(LexiconError, match=message):
        read(tmp_path, name, text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "line 1: no column of words. .* Name it one of word, "),
        ("word\nwin\n", "line 1: no column of categories"),
        ("word,word,category\n", "line 1: two columns have the same name"),
        ("word,category\nwin\n", "line 2: 1 cells where the header has 2"),
        ("word,category\n\nwin,NA\n", "line 3: a word has no category"),
        ("word,category\n,agency\n", "line 2: no word"),
        ("word,category\nwin,a~b\n", "line 2: invalid category name"),
        ("word,Care_Vice,care.vice\nharm,X,\n", "line 1: duplicate category"),
        ("word,agency\nwin,0.5\n", "line 2: column agency has neither X nor an empty cell"),
        ('word,category\n"wi"n,agency\n', "line 2: not a row of CSV"),
        ('word,category\n"win,agency\n', "line 2: not a row of CSV"),
        ('word,category\n"a\nb",agency\nwin\n', "line 4: 1 cells"),
        ("word,category\n", "contains no words"),
        ("", "is empty"),
        (b"word,category\nwin,agency\nfa\xe7ade,agency\n", "line 3: not UTF-8"),
    ],
)
def test_csv_mistakes(tmp_path, text, message):
    with pytest.raises(LexiconError, match=message):
        read(tmp_path, "a.csv", text)


def test_yaml(tmp_path):
    lexicon = read(
        tmp_path,
        "a.yaml",
        "\ufeffname: big_two\ntitle: A title\nversion: 1\nstarter: true\nlicence: MIT\n"
        "note: >-\n  two\n  lines\n"
        "categories: {Agency: [win, liberty], communion: [us]}\nfamilies: {liberty: freedom}\n",
    )
    assert lexicon.name == "mine"
    assert (lexicon.title, lexicon.licence, lexicon.starter) == ("A title", "MIT", True)
    assert lexicon.categories == {"agency": ("win", "liberty"), "communion": ("us",)}
    assert lexicon.families == {"liberty": "freedom"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- win\n", "line 1: the file is not a mapping"),
        ("title: x\n", "no `categories`"),
        ("categories:\n  a: win\n", "line 2: the category a is not a list"),
        ("categories:\n  a: [win, [x]]\n", "line 2: a word is not a text"),
        ("categories:\n  a:\n    - win\n    - ''\n", "line 4: no word"),
        (
            "categories:\n  a: [win]\n  a: [x]\n",
            "line 3: `categories` has a duplicate key. Seen: a",
        ),
        ("categories: {a: [win]}\nwords: 3\n", "line 2: unknown key. Seen: words"),
        ("categories: {a: [win]}\nstarter: yes\n", "line 2: `starter` must be true or false"),
        (
            "categories: {a: [win]}\nfamilies: {lose: x}\n",
            "line 2: a family for a word that is in no",
        ),
        ("categories: {a: [win\n", "line [0-9]+ is not YAML"),
        ("a: !!python/object/apply:os.system [x]\n", "unknown key"),
        ("# nothing\n", "is empty"),
        ("[" * 5000, "is nested too deeply|is not YAML"),
    ],
)
def test_yaml_mistakes(tmp_path, text, message):
    with pytest.raises(LexiconError, match=message):
        read(tmp_path, "a.yaml", text)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(LexiconError, match=r"Seen: \.txt\. Give one of \.dic, "):
        read(tmp_path, "a.txt", "x")
    with pytest.raises(LexiconError, match="cannot read the lexicon"):
        load_lexicon("x", tmp_path / "absent.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(LexiconError, match="cannot read the lexicon"):
        load_lexicon("x", tmp_path / "folder.csv")


@pytest.mark.skipif(not os.environ.get("VALUEBIAS_TEST_DATA"), reason="needs VALUEBIAS_TEST_DATA")
def test_public_dictionaries():
    folder = Path(os.environ["VALUEBIAS_TEST_DATA"]) / "lexicons"
    first = load_lexicon("mfd1", folder / "mfd1.dic")
    assert len(first.categories) == 11
    assert sum(map(len, first.categories.values())) == 359
    assert "safe*" in first.categories["care.virtue"]
    second = load_lexicon("mfd2", folder / "mfd2.0.dic")
    assert sum(map(len, second.categories.values())) == 2103
    assert len(second.words()) == 2040
    assert "do unto others" in second.categories["fairness.virtue"]
    big_two = load_lexicon("b", folder / "bigtwo_b_wildcards.dic")
    assert {c: len(words) for c, words in big_two.categories.items()} == {
        "agency": 64,
        "communion": 65,
    }
    assert big_two.notes == ("line 15: 'authoritative.*' was read as 'authoritative*'",)


@pytest.mark.skipif(
    not os.environ.get("VALUEBIAS_PUBLISHED_DATA"), reason="needs VALUEBIAS_PUBLISHED_DATA"
)
def test_published_dictionaries():
    folder = Path(os.environ["VALUEBIAS_PUBLISHED_DATA"]) / "data" / "corpora"
    nouns = load_lexicon("nouns", folder / "dict_big2_nouns.csv")
    assert {c: len(words) for c, words in nouns.categories.items()} == {
        "agency": 104,
        "communion": 159,
    }
    assert len({nouns.family(word) for word in nouns.words()}) == 168
    expanded = load_lexicon("expanded", folder / "dict_big2_expanded.csv")
    assert len(expanded.words()) == 900
    assert len(expanded.notes) == 2
    dicx = load_lexicon("mfd2", folder / "moral-foundations-dictionary-20.dicx")
    assert len(dicx.words()) == 2040
    assert len(dicx.categories) == 10
