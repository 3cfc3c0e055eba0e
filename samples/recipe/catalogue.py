"""The scenes of the workshop: what is in each and how the camera sends it."""

from camera import Exposure, Shake, Timestamp
from encode import noise
from film import Camera, Scene
from foliage import Foliage
from insects import Insects
from lamps import Headlights, Lamp
from night import Dusk, Infrared, LowLight
from passers import Animals, Poster, Traffic
from sky import Shadows
from stage import Walk
from timetable import Call
from weather import Rain, Snow


def call(gap: float, *walks: Walk) -> Call:
    return Call(gap, walks)


def walk(who: str, left: float, right: float, lag: float = 0.0, **how) -> Walk:
    return Walk(lag, who, left, right, **how)


# The pause after which Lares has gone back to looking at keyframes only, and one after which it has
# not. A call starts up to two seconds later than it says.
ASLEEP, AWAKE = 20.0, 4.2

# Everyday visits: near and far, alone and together, walking and waiting.
EVERYDAY = (
    call(9, walk("blue", 228, 318)),
    call(ASLEEP, walk("bald", 460, 520)),
    call(AWAKE, walk("red", 440, 500, pace=1.1)),
    call(AWAKE, walk("striped", 222, 330), walk("jeans", 230, 372, lag=1.0, pace=1.2)),
    call(ASLEEP, walk("leather", 232, 345, pace=1.3, halts=((0.45, 25),))),
    call(AWAKE, walk("black", 400, 470)),
    call(ASLEEP, walk("paper", 500, 560)),
    call(AWAKE, walk("blue", 214, 300, pace=1.1)),
    call(ASLEEP, walk("black", 224, 380, pace=1.2, halts=((0.7, 60),))),
    call(AWAKE, walk("bald", 420, 470, pace=1.1)),
    call(
        ASLEEP,
        walk("red", 226, 372, pace=1.2),
        walk("striped", 220, 346, lag=2.5),
        walk("blue", 236, 360, lag=4),
    ),
    call(AWAKE, walk("jeans", 520, 560, height=250)),
    call(ASLEEP, walk("striped", 160, 190, pace=1.2)),
    call(AWAKE, walk("paper", 560, 574, height=330)),
    call(AWAKE, walk("leather", 380, 430, pace=1.2)),
)

# The same in short, for everything that can be wrong with the picture.
SHORT = (
    call(6, walk("blue", 228, 318)),
    call(ASLEEP, walk("bald", 440, 500, pace=1.1)),
    call(AWAKE, walk("red", 430, 480, pace=1.2)),
    call(ASLEEP, walk("striped", 224, 340), walk("blue", 232, 352, lag=1.5)),
    call(AWAKE, walk("paper", 480, 540, pace=1.1)),
    call(ASLEEP, walk("leather", 250, 370, pace=1.4, halts=((0.5, 8),))),
    call(AWAKE, walk("black", 420, 500, pace=1.2)),
    call(ASLEEP, walk("jeans", 520, 560, height=230)),
    call(AWAKE, walk("striped", 300, 400)),
)

QUICK = (
    call(4, walk("blue", 228, 318)),
    call(ASLEEP, walk("bald", 460, 520, pace=1.1)),
    call(AWAKE, walk("red", 430, 480, pace=1.2)),
    call(AWAKE, walk("striped", 224, 340)),
    call(AWAKE, walk("paper", 500, 560, pace=1.1)),
)

# For each height (part of the picture's): the row of the feet in each picture.
SMALL_FEET = {
    0.05: 122,
    0.07: 150,
    0.10: 205,
    0.14: 280,
    0.20: 400,
    0.30: 500,
    0.45: 540,
    0.60: 560,
    0.75: 566,
    0.90: 570,
}
LARGE_FEET = {
    0.05: 125,
    0.07: 210,
    0.10: 320,
    0.14: 500,
    0.20: 720,
    0.30: 900,
    0.45: 1000,
    0.60: 1040,
    0.75: 1060,
    0.90: 1070,
}
# The quickest walkers for the smallest, who have the longest way.
FAR = ("blue", "striped")
NEAR = (("bald", "red", "striped"), ("paper", "black", "blue"), ("leather", "jeans", "bald"))


def by_size(feet: dict[float, int], picture_height: int) -> tuple[Call, ...]:
    """Alone, three times at each height, twice at the smallest; some in quick succession."""
    calls = []
    for number, (part, foot) in enumerate(feet.items()):
        for who in FAR if part < 0.1 else NEAR[number % len(NEAR)]:
            gap = AWAKE if len(calls) % 7 == 3 else ASLEEP
            calls.append(call(gap, walk(who, foot, foot, height=part * picture_height)))
    return tuple(calls)


DARK = Camera(noise=noise(8, 3))
DIM = Camera(noise=noise(10, 5))
STARVED = Camera(kbit=50)

# What can be wrong with the picture: its effect, light and camera.
CORRUPTIONS = {
    "ir": (Infrared, "night", DARK),
    "lowlight": (LowLight, "night", DIM),
    "rain": (Rain, "day", Camera()),
    "snow": (Snow, "day", Camera()),
    "insects": (Insects, "night", DARK),
    "foliage": (Foliage, "day", Camera()),
    "headlights": (Headlights, "night", DARK),
    "lamp": (Lamp, "night", DARK),
    "exposure": (Exposure, "day", Camera()),
    "shake": (Shake, "day", Camera()),
    "timestamp": (Timestamp, "day", Camera()),
    "compression": (None, "day", STARVED),
}

# What else moves though nobody is there.
NEGATIVES = {
    "quiet-day": (None, "day", Camera()),
    "quiet-night": (Dusk, "night", DIM),
    "parked-car": (Traffic, "day", Camera()),
    "animal": (Animals, "day", Camera()),
    "poster": (Poster, "day", Camera()),
    "shadows": (Shadows, "day", Camera()),
}

ENCODINGS = {
    **{f"fps-{fps}": Camera(fps=fps) for fps in (5, 15, 25, 30)},
    "vfr": Camera(irregular=True),
    **{f"key-{seconds:g}": Camera(keyframe_s=seconds) for seconds in (0.5, 1, 4, 10)},
    "cbr": Camera(rate="cbr"),
    "vbr": Camera(rate="vbr"),
    "h265": Camera(codec="h265", kbit=900),
}

EMPTY_S, HOUR_LOOP_S, HOUR_LOOPS = 300, 120, 30


def scenes() -> list[Scene]:
    """All of them; what is used most comes first."""
    made = [Scene("clean", "clean", EVERYDAY, backdrop="hedge")]
    for name, (effect, light, camera) in NEGATIVES.items():
        what = None if name.startswith("quiet") else name
        where = "poster" if name == "poster" else "plain"
        made.append(Scene(name, "negative", (), EMPTY_S, where, what, effect, light, camera))
    for name, how in CORRUPTIONS.items():
        made.append(Scene(f"{name}-empty", "negative", (), EMPTY_S, "plain", name, *how))
        made.append(Scene(f"{name}-visits", "corruption", SHORT, None, "plain", name, *how))
    size = "size"
    made.append(Scene("size-sd", size, by_size(SMALL_FEET, 576)))
    large = Camera(kbit=4000)
    made.append(Scene("size-hd", size, by_size(LARGE_FEET, 1080), backdrop="large", camera=large))
    for name, camera in ENCODINGS.items():
        made.append(Scene(name, "encoding", EVERYDAY, backdrop="hedge", camera=camera))
    for name in ("quiet-day", "quiet-night"):
        effect, light, camera = NEGATIVES[name]
        hour = (HOUR_LOOP_S, "plain", None, effect, light, camera, HOUR_LOOPS)
        made.append(Scene(f"{name}-hour", "quiet", (), *hour))
    return made


def quick_scenes() -> list[Scene]:
    return [
        Scene("quick-visits", "quick", QUICK),
        Scene("quick-rain-empty", "quick", (), 40, "plain", "rain", Rain),
        Scene("quick-lamp-empty", "quick", (), 45, "plain", "lamp", Lamp, "night", DARK),
        Scene("quick-poster", "quick", (), 30, "poster", "poster", Poster),
    ]
