"""A question answered: from scorers and a lexicon to an effect, with all it rests on."""
