"""Who walks through the quiet scene of the sample `visits`, when and where.

Each walk goes from one side of the picture to the other. A visit is one walk, or several that
overlap in time: from the first frame with at least a quarter of a person in the picture to the
first frame with nobody in it.
"""

from cast import cast
from stage import Stage, Walk, plain_backdrop

SECONDS = 600

WALKS = (
    Walk(11.6, "blue", left=228, right=318),
    Walk(69.0, "bald", left=225, right=338),
    Walk(105.5, "red", left=228, right=352),
    Walk(143.0, "black", left=224, right=380),
    Walk(145.5, "striped", left=220, right=330),
    # Here ends the part that the two-stream camera shows.
    Walk(232.0, "leather", left=230, right=345),
    Walk(267.0, "striped", left=228, right=340),
    Walk(268.4, "blue", left=218, right=312),
    Walk(340.0, "paper", left=222, right=392),
    Walk(341.6, "bald", left=216, right=352),
    Walk(420.0, "jeans", left=222, right=296),
    Walk(457.0, "red", left=226, right=372),
    Walk(459.0, "striped", left=220, right=346),
    Walk(460.2, "blue", left=214, right=306),
    Walk(540.0, "black", left=226, right=365),
)


def visits_stage(frames, background) -> Stage:
    return Stage(plain_backdrop(background), cast(frames, background), WALKS)
