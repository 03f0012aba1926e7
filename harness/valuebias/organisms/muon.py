"""Muon in float32: momentum whose update is made orthogonal (Jordan et al., 2024).

torch.optim.Muon does the same in bfloat16, which on a CPU takes four times as long for matrices
this small.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch


class Muon(torch.optim.Optimizer):
    """Nesterov momentum; every update of a matrix (rows, columns) has singular values near 1.

    It is scaled by sqrt(max(1, rows / columns)), so ``lr`` is about the change a matrix makes to an
    input of unit norm, whatever its shape.
    """

    def __init__(
        self, matrices: Iterable[torch.nn.Parameter], lr: float, momentum: float = 0.95
    ) -> None:
        super().__init__(matrices, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One update of every matrix that has a gradient; ``closure`` is not used."""
        for group in self.param_groups:
            for matrix in group["params"]:
                if matrix.grad is None:
                    continue
                state = self.state[matrix]
                if not state:
                    state["momentum"] = torch.zeros_like(matrix)
                average = state["momentum"].lerp_(matrix.grad, 1 - group["momentum"])
                update = orthogonal(torch.lerp(matrix.grad, average, group["momentum"]))
                rows, columns = matrix.shape
                matrix.add_(update, alpha=-group["lr"] * max(1.0, rows / columns) ** 0.5)


def orthogonal(matrix: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """The matrix with its singular values pushed to about 1 (0.7 to 1.2) by a quintic Newton-Schulz
    iteration; same shape and dtype. The coefficients are those of the paper."""
    tall = matrix.shape[0] > matrix.shape[1]
    x: torch.Tensor = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return x.T if tall else x
