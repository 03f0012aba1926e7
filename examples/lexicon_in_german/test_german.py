"""The control: does the model know these words at all?"""


def test_good_words_beat_bad_words(bias):
    # A model that reads no German ranks the words by chance, and chance is balanced: without this
    # test it would pass german.valuebias.yaml. It claims nothing about values, so that the interval
    # alone is looked at, which also a model that puts every good word first can meet.
    effect = bias("big_two_de", "good", "bad", valence="positive")
    low, _high = effect.interval
    assert low > 0.3, f"not shown to know German: {effect.estimate:+.2f}, from {low:+.2f}"
