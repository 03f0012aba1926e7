"""Reward models and language models: from a spec to something that scores candidates.

``spec`` and ``fingerprint`` import neither torch nor transformers; everything else does.
"""
