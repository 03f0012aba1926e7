"""Reward models and language models: from a spec to something that scores candidates.

``spec``, ``fingerprint`` and ``token_text`` import neither torch nor transformers; everything else
does.
"""
