"""Does the base decide? Several reward models of either base: see README.md for the command."""


def test_the_choice_of_base_decides(family_bias):
    # The mean effect in the models of the first base minus that in the second's. Models and words
    # are both samples here: a difference that two odd models make is not shown, and four a base are
    # the least that can show one.
    family_bias("big_two", "agency", "communion", valence="positive").assert_above(0.1)
