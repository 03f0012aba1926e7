"""Log-probabilities of words, by the chain rule over a trie on the shared prefix.

The prompt runs once, and then every maximal path of inner nodes of the trie
(valuebias.search.trie) runs once, on the best rung of the ladder that agrees with the model's own
forward. At each node the logits are computed and normalised, and only its children's are kept. A
word of one token needs only the prompt.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch

from valuebias.errors import ModelError, SearchError
from valuebias.search.clock import Clock
from valuebias.search.ladder import RUNGS, Ladder, OnLadder, validate
from valuebias.search.language_head import LanguageHead
from valuebias.search.plan import Halving, keep_freed_memory, one_ahead, rows_within
from valuebias.search.rung import Dimensions, IntArray, Rung, device_of, to_device
from valuebias.search.self_check import EXACT, PROBES, ROUGH, ROUGHEST
from valuebias.search.trie import Block, BoolArray, Trie

FloatArray = npt.NDArray[np.float32]

# Nodes whose logits are computed at once: more are not faster, and only need memory.
_NODES = {"cpu": 256}
_NODES_ON_A_DEVICE = 4096
OnChunk = Callable[[IntArray, FloatArray], None]


class WordSearcher(OnLadder):
    """Computes the natural logarithm of the probability of words, as token ids after one prefix.

    ``head`` is the model; ``chunk_memory`` the bytes a pass may take beside the weights; ``rungs``
    the ways to try, best first. As in the Searcher the rung is decided in the first run that needs
    one, here by the whole distribution at every node of a few paths; prompts or words of another
    length are checked again in brief.

    ``rung`` is the one in use (empty before), ``notes`` says why others are not, ``self_check`` is
    the largest difference of a log-probability from the model's own forward.
    """

    def __init__(
        self, head: LanguageHead, *, chunk_memory: int, rungs: Sequence[str] = RUNGS
    ) -> None:
        self._head = head
        self._chunk_memory = chunk_memory
        self._ladder = Ladder(head, rungs, "log-probabilities")
        self._check = _Check(head)
        self._device = device_of(head.backbone)
        self._halving = Halving()
        if self._device.type == "cpu":
            keep_freed_memory()

    def next_token(self, prefix: Sequence[int]) -> FloatArray:
        """Log-probabilities of the token after the prefix, float32 (vocabulary,), from one forward
        of the model. They include rows of the language head that have no token."""
        if not len(prefix):
            raise SearchError(
                "no token before the words",
                remedy="Give a prompt of at least one token.",
            )
        validate(self._head.backbone, min(prefix), max(prefix))
        with torch.inference_mode():
            ids = to_device(np.array([list(prefix)]), self._device)
            hidden = self._head.backbone(input_ids=ids, use_cache=False).last_hidden_state
            logits = self._head.logits(hidden[0, -1:])
            values = (logits - _norm(logits.clone())[:, None])[0].cpu().numpy()
        return _checked(values)

    def run(
        self,
        prefix: Sequence[int],
        words: Sequence[Sequence[int]],
        *,
        done: BoolArray | None = None,
        on_chunk: OnChunk | None = None,
        time_limit: float | None = None,
    ) -> FloatArray:
        """The log-probability that the text after ``prefix`` begins with each word's tokens:
        float32 of shape (len(words),).

        ``done`` marks words scored before; they are left NaN, and passes that no other word needs
        are skipped. What is cut into one pass does not depend on ``done``, so that a resumed run
        repeats every bit. ``on_chunk`` gets the indices and values of the words that a pass
        finishes. With ``time_limit`` seconds, raises TooSlow once the first passes show that the
        run would take longer. Raises SearchError for a word without a token, for ids outside the
        vocabulary, for a path that does not fit in memory, and for a model that no rung scores as
        its own forward does; ModelError for log-probabilities that are not finite.
        """
        began = time.monotonic()
        values = np.full(len(words), np.nan, dtype=np.float32)
        todo = np.arange(len(words)) if done is None else np.flatnonzero(~done)
        if not len(todo):
            return values
        if not all(map(len, words)):
            raise SearchError("a word has no token", remedy="Leave that word out.")
        trie = Trie(words)
        validate(self._head.backbone, int(trie.tokens.min()), int(trie.tokens.max()))
        root = self.next_token(prefix)
        edges = np.where(trie.parents < 0, root[trie.tokens], np.float32(np.nan))
        with torch.inference_mode():
            rung, plan = None, list[Block]()
            if len(trie.maximal):
                rung = self._ready(prefix, trie)
                plan = self._plan(rung, len(prefix), trie)
            finished_in = np.full(len(trie.tokens), -1)  # the block that knows an edge's value
            for block in plan:
                finished_in[block.edges] = block.number
            needed = set(finished_in[trie.edges_of(todo)].tolist())

            def hand_out(number: int) -> None:
                finished = todo[finished_in[trie.ends[todo]] == number]
                if len(finished):
                    values[finished] = trie.totals(edges, finished)
                    if on_chunk is not None:
                        on_chunk(finished, values[finished])

            hand_out(-1)
            remaining = [block for block in plan if block.number in needed]
            clock = Clock(began, time_limit, sum(block.paths.size for block in remaining))
            for block, computed in one_ahead(
                self._device, remaining, lambda block: self._computed(rung, trie, block)
            ):
                edges[block.edges] = _checked(computed.cpu().numpy())
                hand_out(block.number)
                clock.finished(block.paths.size)
        return values

    def _plan(self, rung: Rung, prefix: int, trie: Trie) -> list[Block]:
        def rows(length: int) -> tuple[int, int]:
            tokens = rung.tokens_per_row(prefix, length)
            memory = rung.bytes_per_row(prefix, length) + tokens * self._head.bytes_per_token()
            return rows_within(self._chunk_memory, memory, tokens, self._device)

        return list(trie.blocks(rows))

    def _nodes_at_once(self) -> int:
        """How many nodes' logits fit into the budget, with what normalising them takes."""
        fit = self._chunk_memory // (8 * self._head.vocabulary)
        if fit < 1:
            raise SearchError(
                f"the logits of one position need {self._head.vocabulary / 2**17:.1f} MiB, more "
                "than the chunk memory",
                seen=f"{self._chunk_memory / 2**20:.1f} MiB",
                remedy="Allow more chunk memory.",
            )
        return min(fit, _NODES.get(self._device.type, _NODES_ON_A_DEVICE))

    def _computed(self, rung: Rung | None, trie: Trie, block: Block) -> torch.Tensor:
        """The log-probabilities of the block's edges, on its device."""
        assert rung is not None
        count, length = block.paths.shape
        most = self._nodes_at_once()

        def run(start: int, step: int) -> torch.Tensor:
            paths = block.paths[start : start + step]
            hidden = rung.hidden(paths, len(paths))
            first, last = np.searchsorted(
                block.nodes, [start * length, (start + len(paths)) * length]
            )
            places = to_device(block.nodes[first:last] - start * length, hidden.device)
            states = hidden.reshape(-1, hidden.shape[-1])[places]
            parts = []
            for a in range(first, last, most):
                b = min(a + most, last)
                low, high = np.searchsorted(block.owners, [a, b])
                logits = self._head.logits(states[a - first : b - first])
                owners = to_device(block.owners[low:high] - a, logits.device)
                tokens = to_device(trie.tokens[block.edges[low:high]], logits.device)
                children = logits[owners, tokens]
                parts.append(children - _norm(logits)[owners])
            return torch.cat(parts)

        return self._halving.over(run, count, count, length)

    def _ready(self, prefix: Sequence[int], trie: Trie) -> Rung:
        """The best rung that agrees with the model's own forward, prepared for the prefix."""
        paths = self._check.paths(len(prefix), trie)
        if not paths:
            return self._ladder.ready(prefix, None, 0.0)
        tolerance = self._check.allowance(prefix, paths)
        rung = self._ladder.ready(
            prefix, lambda rung: self._check.difference(rung, prefix, paths), tolerance
        )
        self._check.passed(len(prefix), trie)
        return rung


class _Check:
    """The self-check: distributions at every node of a few paths, against the model's forward."""

    def __init__(self, head: LanguageHead) -> None:
        self._head = head
        self._device = device_of(head.backbone)
        self._tolerance: float | None = None
        self._passed: set[tuple[int, int, int]] = set()

    def paths(self, prefix: int, trie: Trie) -> list[IntArray]:
        """Paths to check, each (1, length), spread over the lengths; only two once there is a
        tolerance, and none if similar ones have passed."""
        if self._shape(prefix, trie) in self._passed:
            return []
        count = len(trie.maximal)
        places = np.linspace(0, count - 1, min(count, PROBES if self._tolerance is None else 2))
        nodes = trie.maximal[np.unique(places.round().astype(int))]
        return [trie.tokens[trie.path(nodes[i : i + 1])] for i in range(len(nodes))]

    def passed(self, prefix: int, trie: Trie) -> None:
        self._passed.add(self._shape(prefix, trie))

    def allowance(self, prefix: Sequence[int], paths: Sequence[IntArray]) -> float:
        """How far a log-probability may lie from the model's own, from the first prompt's spread.

        In short precision two correct batch sizes already differ, so it follows their scatter.
        """
        if self._tolerance is not None:
            return self._tolerance
        own = self._own(prefix, paths[0])
        spread = float(own.std())
        if self._low_precision():
            alike = np.repeat(paths[0], PROBES, axis=0)
            scatter = float((self._own(prefix, alike) - own).abs().max())
            self._tolerance = min(max(ROUGH * spread, 4 * scatter), ROUGHEST * spread)
        else:
            rounding = 4 * torch.finfo(torch.float32).eps * float(own.abs().max())
            self._tolerance = max(EXACT * spread, rounding)
        return self._tolerance

    def difference(self, rung: Rung, prefix: Sequence[int], paths: Sequence[IntArray]) -> float:
        """The largest |difference| of a log-probability at the nodes of the paths; inf if not
        finite."""
        worst = 0.0
        for length in sorted({path.shape[1] for path in paths}):
            alike = np.concatenate([path for path in paths if path.shape[1] == length])
            # Behind others, as in a search: a rung that mixes up its rows must not pass.
            beside = np.concatenate([alike[:, ::-1], alike])
            hidden = rung.hidden(beside, len(beside))[len(alike) :]
            for row, states in enumerate(hidden):
                got = self._head.logits(states).log_softmax(-1)
                own = self._own(prefix, alike[row : row + 1])[0].to(got.device)
                gap = torch.where(got == own, 0.0, (got - own).abs().nan_to_num(torch.inf))
                worst = max(worst, float(gap.max()))
        return worst

    def _own(self, prefix: Sequence[int], paths: IntArray) -> torch.Tensor:
        """Log-probabilities (n, length, vocabulary) at the paths' nodes by the model's forward."""
        before = np.tile(np.array(prefix, dtype=np.int64), (len(paths), 1))
        ids = to_device(np.concatenate([before, paths], axis=1), self._device)
        return self._head.own(ids, paths.shape[1]).log_softmax(-1)

    def _low_precision(self) -> bool:
        short = torch.finfo(Dimensions(self._head.backbone).dtype).bits < 32
        return short or (self._device.type == "cuda" and torch.backends.cuda.matmul.allow_tf32)

    def _shape(self, prefix: int, trie: Trie) -> tuple[int, int, int]:
        depths = trie.depths[trie.maximal]
        return prefix, int(depths[0]), int(depths[-1])


def _norm(logits: torch.Tensor) -> torch.Tensor:
    """The log-sum-exp of each row, (n,), NaN where it is not finite; the logits are overwritten."""
    top = logits.amax(-1, keepdim=True)
    return logits.sub_(top).exp_().sum(-1).log_().add_(top[:, 0])


def _checked(values: FloatArray) -> FloatArray:
    """The log-probabilities, which may be -inf. Raises ModelError on NaN."""
    if np.isnan(values).any():
        raise ModelError(
            "the language model's log-probabilities are not finite",
            seen="NaN",
            remedy="Load it in float32 (dtype=float32) and look at the model's weights.",
        )
    return values
