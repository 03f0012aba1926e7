"""Lexicons: which words stand for which value, from our starters, published files or the user's."""
