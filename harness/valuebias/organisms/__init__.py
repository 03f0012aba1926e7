"""Tiny language models with a planted value bias, and the reward models trained on them.

They are grown from nothing by ``python -m valuebias.organisms.grow`` and shipped in ``data/``.
Their world is synthetic: they know some nine hundred words and a handful of question forms.
"""
