"""Which lexicons a repair leaves no evidence of."""

from __future__ import annotations

from valuebias.lexicons.files import starter
from valuebias.lexicons.in_force import lexicon_in_force
from valuebias.measurement.repaired import caveat
from valuebias.models.repaired import RepairedOn, told


def test_the_words_of_whole_answers_are_words_that_were_fitted_to() -> None:
    lexicon = starter("big_two")
    repaired = {"repaired": told((RepairedOn("big_two", lexicon.digest, "agency~communion"),))}
    answers = lexicon_in_force("big_two_answers", {})
    assert answers.digest != lexicon.digest
    for each in (lexicon, answers):
        assert caveat(each, {}, repaired).startswith("the model was repaired on this lexicon")
        assert caveat(each, {}) == ""
    for other in (starter("mfd2"), lexicon_in_force("mfd2_answers", {})):
        assert caveat(other, repaired) == ""
