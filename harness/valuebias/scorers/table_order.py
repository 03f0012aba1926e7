"""By what a table of scores is recognised, however it was written down: the order of its words."""

from __future__ import annotations

import hashlib

import numpy as np
from scipy import stats

from valuebias.scores import Scores


def order_digest(scores: Scores) -> str:
    """SHA-256 of the prompts, the responses and each prompt's midranks.

    The same for every order of rows and columns, in CSV and Parquet, and for scores rescaled on a
    prompt; another one if a prompt or a response is left out.
    """
    rows = sorted(range(len(scores.prompts)), key=lambda i: scores.prompts[i].key)
    ids = scores.candidates.token_ids or (0,) * len(scores.candidates)
    keys = list(zip(scores.candidates.responses, ids, strict=True))
    columns = sorted(range(len(keys)), key=keys.__getitem__)
    digest = hashlib.sha256()
    for text in (*(scores.prompts[i].key for i in rows), *(keys[i][0] for i in columns)):
        digest.update(text.encode("utf-8", "surrogatepass") + b"\0")
    twice = 2 * stats.rankdata(scores.values[np.ix_(rows, columns)], axis=1)
    digest.update(twice.astype("<i8").tobytes())
    return digest.hexdigest()
