"""The people of vtest who can be cut out."""

from walkers import Take, Walker

# Seconds of vtest in which one person walks alone, by eye. Named by what they wear.
TAKES = {
    "blue": Take(165, 212, x=330, foot=244, height=74),
    "striped": Take(184, 222, x=360, foot=290, height=85),
    "jeans": Take(222, 262, x=355, foot=238, height=78),
    "black": Take(236, 268, x=700, foot=375, height=111),
    "red": Take(428, 455, x=710, foot=368, height=101),
    "leather": Take(187, 202, x=635, foot=308, height=90),
    "bald": Take(354, 388, x=510, foot=276, height=90),
    "paper": Take(384, 399, x=600, foot=372, height=104),
}


def cast(frames, background) -> dict[str, Walker]:
    return {name: Walker(take, frames, background) for name, take in TAKES.items()}
