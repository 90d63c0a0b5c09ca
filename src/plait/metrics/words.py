"""Captions as words, the way that COCO's evaluation counts them: Penn Treebank tokens without punctuation, no Java."""

import re
import unicodedata
from itertools import groupby

PUNCTUATION = frozenset(["''", '"', "'", "``", "`", ".", "?", "!", ",", ":", "-", "--", "...", ";"])
BRACKETS = {"(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-"}
SPLIT = {"cannot": "can not", "gonna": "gon na", "gotta": "got ta", "wanna": "wan na", "gimme": "gim me"}
SPLIT |= {"lemme": "lem me", "'tis": "'t is", "'twas": "'t was"}
ABBREVIATIONS = "mr mrs ms dr prof st jr sr vs etc inc co corp ltd no gen col lt sgt rev hon mt ave blvd rd ph.d"
SAME = str.maketrans(
    {"’": "'", "‘": "`", "“": '"', "”": '"', "–": "--", "—": "--", "…": "...", "\u00a0": " ", "\u00ad": ""}
)


def _characters(*categories: str) -> str:
    """All characters of some Unicode categories, as ranges for the brackets of a regular expression."""
    codes = [code for code in range(0x300, 0x20000) if unicodedata.category(chr(code)) in categories]
    codes = [code for code in codes if not 0xFE00 <= code <= 0xFE0F]  # how an emoji is drawn
    runs = (list(run) for _, run in groupby(enumerate(codes), lambda pair: pair[1] - pair[0]))
    return "".join(f"{chr(run[0][1])}-{chr(run[-1][1])}" for run in runs)


WORD = r"[^\W_]"
MARKS = _characters("Mn", "Mc")  # vowels of Hindi, Tamil or vocalised Arabic, accents: no \w to Python
MARKED = rf"(?:{WORD}*+[{MARKS}])++{WORD}*+"  # a word that has some; no hyphen or slash joins it to another
UNSEEN = _characters("Cf", "Me") + "\ufe00-\ufe0f\U000e0000-\U000e01ef"  # joiners, directions, keycaps, variants
JOINED = (
    r"[-/&@]|\.(?!(?:svg|png|jpg)\b)(?=\w)|(?<=\b[odl])'|(?<=\bma)'(?=am\b)|(?<=n)'(?=t\b)|'(?=(?:s|d|m|ll|re|ve)\b)"
)

TOKEN = re.compile(
    rf"""
      <[a-z/][^<>\s]*>                                                # a tag
    | \w[\w.+-]*@[\w-]+(?:\.[\w-]+)+                                  # an address
    | (?:us|a|c|hk|nz)?\$                                             # money
    | (?:{WORD}\.){{2,}}(?!{WORD})                                    # u.s.
    | (?:{"|".join(re.escape(a) for a in ABBREVIATIONS.split())})\.(?=[\s,]|$)
    | (?-i:(?<!{WORD})[A-Z]\.(?=\s+\S))                               # an initial
    | (?:(?<!\w)\.)?\d+(?:[.,:/]\d+)*(?![\w/.&@-]\w|\w)              # 1,000 10:30 .5 1/2
    | '\d\ds                                                          # '90s
    | 'n' | 'tis\b | 'twas\b | '(?:s|d|m|ll|re|ve)(?!{WORD})
    | @{WORD}\w*
    | {WORD}\w*+(?![{MARKS}])(?:(?:{JOINED})[\w{MARKS}]+)*(?:\+\+|\#(?!\w))?
    | {MARKED}(?:\.(?:{MARKED}|{WORD}+))*
    | \.{{2,}} | -{{2,}} | [!?]{{2,}}
    | [^\s\x00-\x1f\x7f-\x9f{UNSEEN}]
    """,
    re.VERBOSE | re.IGNORECASE,
)
CLITIC = re.compile(r"(?:n't|'(?:s|d|m|ll|re|ve))(?!\w)")


def caption_words(text: str) -> list[str]:
    """The lower-case words of a text; punctuation is left out, clitics stand alone.

    Equal to `PTBTokenizer` of Stanford CoreNLP 3.4.1 without the punctuation that pycocoevalcap leaves out, but for
    rare forms: HTML entities, pounds and euros (there # and $), `o’clock` with a curly apostrophe, and the marks of
    scripts that it does not know (Kannada, Sinhala, Burmese), at which it breaks words apart.

    >>> caption_words("A man's dog isn't on the t-shirt (yet), 3.5 ft. away!")
    ['a', 'man', "'s", 'dog', 'is', "n't", 'on', 'the', 't-shirt', '-lrb-', 'yet', '-rrb-', '3.5', 'ft', 'away']
    """
    words: list[str] = []
    for token in TOKEN.findall(text.translate(SAME)):
        token = token.lower()
        if token in PUNCTUATION or token.strip(".") == "" or token.strip("-") == "":
            continue
        if token in SPLIT:
            words += SPLIT[token].split()
        elif token in BRACKETS:
            words.append(BRACKETS[token])
        else:
            words += CLITIC.sub(r" \g<0>", token).split()
    return words
