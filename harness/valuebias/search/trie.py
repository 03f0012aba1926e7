"""Words as a trie of token ids, and the passes that run every inner node of it.

An edge is one token after all before it: it stands for one conditional probability, and a word is
the path of edges down to its end. The edges below the root are known from the prompt alone. Every
other edge needs the hidden state of the node it leaves, and one run of a maximal path of inner
nodes gives the states of all nodes along it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from valuebias.search.plan import blocks
from valuebias.search.rung import IntArray

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Block:
    """One pass: ``paths`` (n, length) of token ids, and what is read from it.

    ``nodes`` (m,) are the places, in the flattened paths, of inner nodes that no earlier block has
    read, ascending; ``edges`` (k,) those nodes' edges, and ``owners`` (k,) the index into ``nodes``
    of the node each one leaves, ascending.
    """

    number: int
    paths: IntArray
    nodes: IntArray
    edges: IntArray
    owners: IntArray


class Trie:
    """The trie of ``words``, each a sequence of one or more token ids.

    Edges are numbered so that a parent comes before its children: ``tokens`` (edges,), ``parents``
    (edges,), -1 below the root, ``depths`` (edges,) from 1; ``ends`` (words,) is each word's last
    edge. A node is identified by the edge that leads to it.
    """

    def __init__(self, words: Sequence[Sequence[int]]) -> None:
        known: dict[tuple[int, int], int] = {}
        tokens: list[int] = []
        parents: list[int] = []
        depths: list[int] = []
        ends: list[int] = []
        for word in words:
            edge = -1
            for depth, token in enumerate(word, 1):
                parent = edge
                edge = known.setdefault((parent, token), len(tokens))
                if edge == len(tokens):
                    tokens.append(token)
                    parents.append(parent)
                    depths.append(depth)
            ends.append(edge)
        self.tokens = np.array(tokens, dtype=np.int64)
        self.parents = np.array(parents, dtype=np.int64)
        self.depths = np.array(depths, dtype=np.int64)
        self.ends = np.array(ends, dtype=np.int64)

    @cached_property
    def maximal(self) -> IntArray:
        """Inner nodes without an inner child, (n,), by depth and then as first met."""
        inner = np.unique(self.parents[self.parents >= 0])
        above = self.parents[inner]
        deepest = np.setdiff1d(inner, above[above >= 0])
        return deepest[np.argsort(self.depths[deepest], kind="stable")]

    def path(self, nodes: IntArray) -> IntArray:
        """The edges from the root to nodes of one depth: (n, depth)."""
        columns = [nodes]
        while (up := self.parents[columns[0]]).size and up[0] >= 0:
            columns.insert(0, up)
        return np.stack(columns, axis=1)

    def blocks(self, rows: Callable[[int], tuple[int, int]]) -> Iterator[Block]:
        """Passes that read every inner node once, paths of one length at a time.

        ``rows(length)`` says how many paths the first pass of a length may hold, and how many the
        largest. The same trie is always cut the same way.
        """
        read = np.zeros(len(self.tokens), dtype=bool)
        order = np.argsort(self.parents, kind="stable")
        by_parent = self.parents[order]
        number = 0
        for length in np.unique(self.depths[self.maximal]).tolist():
            leaves = self.maximal[self.depths[self.maximal] == length]
            for cut in blocks(leaves, self.path(leaves), *rows(length)):
                inner, places = np.unique(cut.tails, return_index=True)
                places = np.sort(places[~read[inner]])
                nodes = cut.tails.ravel()[places]
                read[nodes] = True
                starts = np.searchsorted(by_parent, nodes, side="left")
                counts = np.searchsorted(by_parent, nodes, side="right") - starts
                owners = np.repeat(np.arange(len(nodes)), counts)
                within = np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts)
                edges = order[np.repeat(starts, counts) + within]
                yield Block(number, self.tokens[cut.tails], places, edges, owners)
                number += 1

    def edges_of(self, words: IntArray) -> BoolArray:
        """Whether an edge lies on the path of one of the words (indices): (edges,)."""
        on_path = np.zeros(len(self.tokens), dtype=bool)
        edges = np.unique(self.ends[words])
        while len(edges):
            on_path[edges] = True
            up = np.unique(self.parents[edges])
            edges = up[up >= 0]
        return on_path

    def totals(self, values: npt.NDArray[np.float32], words: IntArray) -> npt.NDArray[np.float32]:
        """The sums of the edges' values (edges,) along the words (indices), (words,)."""
        edges = self.ends[words]
        total = np.zeros(len(edges))
        while (here := edges >= 0).any():
            total[here] += values[edges[here]]
            edges = np.where(here, self.parents[edges], -1)
        return total.astype(np.float32)
