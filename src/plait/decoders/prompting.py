"""The order of a row's prompt: the template's words, the row's own words, and its images between them."""

from collections.abc import Mapping, Sequence

from plait.errors import DataError, RecipeError


def arrange(
    template: Sequence[Sequence[int] | str],
    words: Mapping[str, Sequence[Sequence[tuple[int, int]]]],
    values: Mapping[str, Sequence[Sequence[Sequence[int]]]],
    room: int,
) -> list[list[int]]:
    """Put the pieces of each row's prompt in order.

    A value whose place is marked in a row's words goes there; the others go where the template names them. Where there
    is not enough room, the row's first words are dropped; the template and the tokens of values are never cut. Places
    for which a row has no value (an input that was taken away) stay empty.

    Args:
        template: positions of the template's own words, and names.
        words: name → for each row, its words as (id, position); an id of -1 - n is the place of a value of the n-th
            name in `values`.
        values: name → for each row and each of its values, the positions of its tokens.
        room: places at most.

    Returns:
        For each row, positions among the tokens of all pieces together.

    Raises:
        DataError: a row's places and values differ in number.
        RecipeError: template and values alone need more room.

    >>> arrange([[0], "photo", "text", [1]], {"text": [[(7, 2), (8, 3)]]}, {"photo": [[[4, 5]]]}, room=5)
    [[0, 4, 5, 3, 1]]
    """
    names = list(values)
    rows = len(next(iter((*words.values(), *values.values()))))
    places = []
    for row in range(rows):
        row_words = {name: list(texts[row]) for name, texts in words.items()}
        marked = [names[-1 - token] for text in row_words.values() for token, _ in text if token < 0]
        waiting = {name: [list(value) for value in values[name][row]] for name in names}
        for name in dict.fromkeys(marked):
            if waiting[name] and marked.count(name) != len(waiting[name]):
                raise DataError(
                    f"row {row + 1} of the batch: {marked.count(name)} places for {name!r} in the text and "
                    f"{len(waiting[name])} values; each value needs one place"
                )
        placed: list[tuple[int, bool]] = []  # position, and whether it may be dropped
        for piece in template:
            if not isinstance(piece, str):
                placed += [(position, False) for position in piece]
            elif piece in row_words:
                for token, position in row_words[piece]:
                    if token >= 0:
                        placed.append((position, True))
                    elif waiting[names[-1 - token]]:
                        placed += [(p, False) for p in waiting[names[-1 - token]].pop(0)]
            elif piece not in marked:
                placed += [(position, False) for value in waiting[piece] for position in value]
        # Too long: the row's first words are dropped, if there are enough of them.
        over = len(placed) - room
        first = [place for place, (_, may_go) in enumerate(placed) if may_go][: max(0, over)]
        if over > len(first):
            raise RecipeError(
                f"the language model has room for {room} tokens before its text; prompt and inputs are "
                f"{len(placed) - len(first)}. Give it fewer: decoder.projector=resampler reads each value into a few, "
                "encoders with tokens=pooled give one an image"
            )
        gone = set(first)
        places.append([position for place, (position, _) in enumerate(placed) if place not in gone])
    return places
