"""`pytest --rm=MODEL examples/` runs the tests beside this file. Each folder is an example of its
own, run as its README says: it is collected when it is named, as in `pytest examples/drift_study`.
"""

collect_ignore = ["custom_assertions", "drift_study", "lexicon_in_german", "release_pipeline"]
