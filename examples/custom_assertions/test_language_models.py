"""Assertions on language models, which reward models start from.

They run once for each --llm, or each two of them. Language models are slower to measure than reward
models (every word in all its spellings), so that these use the short lexicon core.csv.
"""


def test_it_knows_good_from_bad(language_bias):
    # By log-probability. A base that fails this has not understood the question, and nothing else
    # that is measured of it means much.
    language_bias("core", "good", "bad", valence="positive").assert_above(0.3)


def test_the_second_base_is_the_more_communal(implicit_bias):
    # What the second --llm prefers more than the first (MWLR): above zero agency, below communion.
    # To choose between two bases, ask this of the pair before anything is trained.
    implicit_bias("core", "agency", "communion", valence="positive").assert_below(-0.2)
