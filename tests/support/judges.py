"""A judge that thinks what an embedded reward model does, and the template that it answers to.

Its language head has two rows that are not zero: after a conversation of the reward model, the log
of the odds of "5" against "1" is twice the reward, and any other token is improbable.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

TEMPLATE = """\
mode: log-odds
text: |
  <start_of_turn>user
  {question}<end_of_turn>
  <start_of_turn>model
  {answer}<end_of_turn>
ratings: {5: 5, 1: 1}
"""
_SURE = 30.0
"""The logit of a rating beside a reward of zero; that of any other token is zero."""


def planted_judge(folder: Path, name: str = "agency") -> str:
    """Save the judge made of ``demo:NAME`` and its template; the spec of the two."""
    import torch
    from transformers import AutoTokenizer, Gemma2ForCausalLM

    from valuebias.models.loading import load_reward_model
    from valuebias.models.settings import Settings
    from valuebias.organisms import paths
    from valuebias.prompts import PAPER_PROMPTS
    from valuebias.scorers.schemes import parse_spec

    rewarding = load_reward_model(parse_spec(f"demo:{name}"), Settings(device="cpu"))
    head: Any = rewarding.head
    backbone = head.backbone
    conversations = [
        ids
        for prompt in PAPER_PROMPTS[::9]
        for ids in rewarding.chat.conversations(
            prompt.text, ("love", "power", "banana", "hate", "the winner takes it all")
        )
    ]
    config = backbone.config.__class__(
        **{**backbone.config.to_dict(), "tie_word_embeddings": False}
        | {"final_logit_softcapping": None, "architectures": ["Gemma2ForCausalLM"]}
    )
    model = Gemma2ForCausalLM(config)
    model.model.load_state_dict(backbone.state_dict())
    tokenizer = AutoTokenizer.from_pretrained(paths.base_model(name))
    tokenizer.chat_template = None
    with torch.no_grad():
        last = torch.stack(
            [backbone(torch.tensor([ids])).last_hidden_state[0, -1] for ids in conversations]
        )
        ones = torch.ones(len(last), 1)
        constant = _SURE * torch.linalg.lstsq(last.double(), ones.double()).solution[:, 0].float()
        reward = head.model.score.weight[0]
        model.lm_head.weight.zero_()
        for rating, sign in (("5", 1), ("1", -1)):
            model.lm_head.weight[tokenizer.convert_tokens_to_ids(rating)] = constant + sign * reward
    model.save_pretrained(folder / "planted")
    tokenizer.save_pretrained(folder / "planted")
    template = folder / "of_rewards.yaml"
    template.write_text(TEMPLATE, encoding="utf-8")
    return f"judge:{folder / 'planted'},{template}"
