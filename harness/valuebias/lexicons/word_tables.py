"""What no rule finds about the families of English words."""

from __future__ import annotations

_CHANGED = {
    "abil": "abl",
    "accus": "accusat",
    "admit": "admiss",
    "allianc": "alli",
    "alter": "altern",
    "ambiti": "ambit",
    "attend": "attent",
    "believ": "belief",
    "bigot": "bigotri bigotr",
    "bless": "blessed",
    "break": "broke broken",
    "buddha": "buddhist buddh",
    "chaot": "chao",
    "charit": "chariti",
    "child": "children",
    "choose": "chose chosen choice",
    "close": "closur",
    "conclud": "conclus",
    "convert": "convers",
    "cure": "curat",
    "death": "dead die deadli",
    "deceiv": "decept deceit",
    "decid": "decis",
    "defend": "defens",
    "deism": "deist",
    "depart": "departur",
    "despair": "desper",
    "destroy": "destruct",
    "disobey": "disobedi",
    "divid": "divis",
    "donat": "donor",
    "empath": "empathet",
    "empir": "emperor",
    "equiti": "equit",
    "exclud": "exclus",
    "excret": "excrement",
    "expand": "expans",
    "explod": "explos",
    "expos": "exposur",
    "extend": "extens",
    "fail": "failur",
    "fight": "fought",
    "forbid": "forbade forbidden",
    "forgive": "forgave forgiven forgiv",
    "fraud": "fraudul",
    "fece": "fecal",
    "give": "gave given gift",
    "god": "godli",
    "grate": "gratitud gratifi gratif",
    "govern": "gover",
    "grow": "growth",
    "guard": "guardian",
    "heal": "health",
    "heresi": "heret",
    "horror": "horrifi horrif horribl",
    "hypocrit": "hypocrisi",
    "includ": "inclus",
    "intend": "intent",
    "invad": "invas",
    "know": "knew known knowledg",
    "law": "lawyer",
    "leper": "leprosi lepros",
    "lie": "liar liars lied lying",
    "lose": "lost loss losses",
    "louse": "lice",
    "malic": "malici",
    "mouse": "mice",
    "nausea": "nause naus",
    "nobl": "nobil",
    "obey": "obedi",
    "offend": "offens",
    "overthrow": "overthrew overthrown",
    "pay": "paid",
    "permit": "permiss",
    "persuad": "persuas",
    "pervert": "pervers",
    "pious": "pieti piet",
    "pirat": "piraci pirac",
    "press": "pressur",
    "produc": "product",
    "prophet": "propheci prophec",
    "prove": "proof",
    "punish": "punit",
    "rabbi": "rabbin",
    "receiv": "recept receipt",
    "reliev": "relief",
    "religion": "religi religios relig",
    "repay": "repaid",
    "respond": "respons",
    "revolt": "revolut",
    "seiz": "seizur",
    "shit": "shat",
    "speak": "spoke spoken speech",
    "steal": "stole stolen",
    "strong": "strength",
    "submit": "submiss",
    "subvert": "subvers",
    "succeed": "success",
    "suspect": "suspicion suspici",
    "swear": "swore sworn",
    "sympath": "sympathet",
    "tens": "tension",
    "terror": "terrifi terrif terribl",
    "thief": "thiev theft",
    "think": "thought",
    "true": "truth",
    "tyrant": "tyranni tyran",
    "unit": "unifi unif",
    "vice": "vicious",
    "virus": "viral",
    "warm": "warmth",
    "win": "won",
    "young": "youth youth",
}
"""Root -> the other forms it takes within its family, as words or as stems of the rules."""

CHANGED = {form: root for root, forms in _CHANGED.items() for form in forms.split()}
"""Form -> the form that stands for its family."""

OWN_ROOT = {
    "authority": "authori[tz]",
    "busy": "busy|busi(?!ness)",
    "business": "business",
    "capable": "capab|capac",
    "chastise": "chastiz",
    "communion": "communion",
    "community": "communit",
    "corporal": "corporal",
    "country": "countr",
    "customer": "customer",
    "generous": "generou?s",
    "hospitality": "hospitab|hospitalit",
    "lionize": "lioniz",
    "marry": "marr(?:y|i)",
    "morale": "morale",
    "organize": "organiz",
    "paradise": "paradi[sz]e",
    "partial": "partial",
    "party": "part(?:y|ies)$",
    "passion": "passion",
    "passive": "passiv",
    "police": "polic(?:e|ing)",
    "policy": "polic(?:y|ies)",
    "polish": "polish",
    "possess": "possess",
    "principle": "principl",
    "probable": "probab",
    "rational": "rational",
    "sacred": "sacred",
    "sacrifice": "sacrific",
    "temperance": "temperan|temperate$",
    "temperature": "temperatur",
    "template": "templat",
    "territory": "territor",
    "testify": "testif|testim",
    "treatise": "treati[sz]e",
    "treaty": "treat(?:y|ies)$",
    "tribunal": "tribun",
    "tribute": "tribut",
    "university": "universit",
    "violate": "violat",
    "violin": "violin",
    "witness": "witness",
}
"""Root -> how its words begin, where they look like relatives of another word and are not."""

_NO_SUFFIX = (
    # -er
    "anger answer banner barrier better bitter blunder border bother boulder brother butter "
    "cancer career center chamber chapter charter chatter cider clever cluster confer copper "
    "corner counter courier cover danger daughter defer differ dinner eager elder enter father "
    "feather fever finger flower folder foster frontier further gather gender ginger glitter "
    "grocer gutter hammer hamper hunger infer ladder later laughter leather letter lever litter "
    "liver manner master matter member meter monster mother murder mutter never number offer "
    "order other outer paper partner pepper pioneer plaster plunder powder power prefer premier "
    "proper prosper quarter refer render rever river roster rudder saucer scatter shatter "
    "shelter shoulder silver sister slander slaughter sober soldier spider suffer summer super "
    "supper temper tender theater thunder tiger tower under upper utter wander water weather "
    "whisper winter wonder "
    # -or
    "armor author error favor fervor harbor honor humor labor mentor mirror neighbor parlor "
    "pastor rigor rumor traitor tumor valor vigor "
    # other suffixes
    "ancient arsenic assist bulli burden capital carnag chicken citizen comment consent consist "
    "contag content courag critic cynic deliv dissent document element enlist exercise famili "
    "garbag garden garment heaven infant insist kitchen logic magic maiden merchant messag "
    "minist music panic passag persist picnic present prevent promise public question resist "
    "sausag segment sinist sudden surprise tactic threat topic torment village worship "
)
WHOLE = frozenset(_CHANGED) | frozenset(_NO_SUFFIX.split())
"""Stems that only look as if they had a suffix."""
