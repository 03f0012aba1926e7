"""What a model is asked: prompts for one word, and frames of whole answers."""

from valuebias.prompts.answers import ANSWERS as ANSWERS
from valuebias.prompts.find import Prompts as Prompts
from valuebias.prompts.find import known as known
from valuebias.prompts.find import resolve as resolve
from valuebias.prompts.find import resolve_all as resolve_all
from valuebias.prompts.sets import VALENCES as VALENCES
from valuebias.prompts.sets import Control as Control
from valuebias.prompts.sets import Prompt as Prompt
from valuebias.prompts.sets import PromptSet as PromptSet
from valuebias.prompts.sets import Valence as Valence
from valuebias.prompts.sets import Valences as Valences
from valuebias.prompts.words import BALANCED as BALANCED
from valuebias.prompts.words import GREATEST as GREATEST
from valuebias.prompts.words import PAPER as PAPER
from valuebias.prompts.words import PAPER_PROMPTS as PAPER_PROMPTS
from valuebias.prompts.words import SHIPPED as SHIPPED
from valuebias.prompts.words import select as select
