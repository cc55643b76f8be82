"""The built-in music as data: 24 tracks in six moods, each with its own tempo, key and instruments.

A pattern has one sign per sixteenth of a bar: a digit is a tone of the chord (0 is its lowest, counted
upwards through the octaves) or of the scale, `c` the whole chord, `-` holds the note before it, `.` is
silence.
A drum's pattern has `x` for a stroke and `o` for a soft one.
"""

from dataclasses import dataclass

# Bars of a track, in four sections.
BARS, SECTION_BARS = 16, 4
# Semitones above the chord's root.
CHORDS = {
    "": (0, 4, 7),
    "m": (0, 3, 7),
    "5": (0, 7),
    "6": (0, 4, 7, 9),
    "7": (0, 4, 7, 10),
    "m7": (0, 3, 7, 10),
    "m9": (0, 3, 7, 10, 14),
    "maj7": (0, 4, 7, 11),
    "add9": (0, 4, 7, 14),
    "sus2": (0, 2, 7),
    "sus4": (0, 5, 7),
    "dim": (0, 3, 6),
}
# Five tones, of which each fits each chord of its key.
SCALES = {"major": (0, 2, 4, 7, 9), "minor": (0, 3, 5, 7, 10)}


@dataclass(frozen=True)
class Part:
    """Play an instrument by a pattern for each bar, repeated.

    `octave` is counted from 110 Hz. `sections` has a 1 for each section in which the part plays. `pan` is -1
    (left) to 1 (right).
    """

    instrument: str
    bars: tuple[str, ...]
    level: float
    octave: int = 0
    of: str = "chord"
    sections: str = "1111"
    pan: float = 0.0


@dataclass(frozen=True)
class Drum:
    """A drum's pattern, repeated in each bar of its sections."""

    name: str
    pattern: str
    level: float
    sections: str = "1111"
    pan: float = 0.0


@dataclass(frozen=True)
class Track:
    """A track. `key` is in semitones above A; a chord is (semitones above the key, name in CHORDS).

    `beats` per bar; `swing` delays each second eighth, as a share of an eighth. `accent` is the instrument
    that marks a scene change.
    """

    name: str
    bpm: float
    key: int
    scale: str
    chords: tuple[tuple[int, str], ...]
    parts: tuple[Part, ...]
    drums: tuple[Drum, ...] = ()
    beats: int = 4
    swing: float = 0.0
    room: float = 0.35
    accent: str = "celesta"


def _held(instrument: str, level: float, octave: int = 1, sections: str = "1111", sign: str = "c") -> Part:
    """Return a part that holds the chord (or one tone of it) for each bar."""
    return Part(instrument, (sign + "-" * 15,), level, octave, sections=sections)


# Patterns are read side by side.
# fmt: off
_CALM = (
    Track(
        "Tide", 72, 0, "minor",
        ((0, "m9"), (-4, "maj7"), (3, "add9"), (-2, "sus2")),
        (
            _held("pad", 1.0),
            Part("pluck", ("0.2.4.3.1.4.2.3.", "0.3.2.4.1.2...3."), 0.42, 1, pan=0.25),
            _held("sub", 0.55, -1, sign="0"),
            Part("celesta", ("....4-----3-----", "................", "....2-----3-----", "................"),
                 0.3, 2, "scale", "0101", -0.3),
        ),
        room=0.5,
    ),
    Track(
        "Lantern", 66, 5, "major",
        ((0, "maj7"), (5, "maj7"), (-3, "m7"), (-5, "sus4")),
        (
            Part("rhodes", ("c-------..c-----", "c-----..c-......"), 0.9, 1),
            _held("sub", 0.6, -1, sign="0"),
            _held("air", 0.4, 1, "0111"),
            Part("flute", ("........4---2---", "3-----........1.", "2-----4---3-----", "................"),
                 0.32, 1, "scale", "0101", 0.2),
        ),
        (Drum("shaker", "..o...x...o...x.", 0.10, "0111", 0.4),
             Drum("kick", "x.........o.....", 0.3, "0011")),
        accent="rhodes",
    ),
    Track(
        "Harbour", 80, -4, "major",
        ((0, ""), (-3, "m7"), (5, "add9"), (-5, "7")),
        (
            Part("piano", ("0-2-3-4-3-2-", "0-3-2-4-2-3-"), 0.8, 1),
            Part("strings", ("c-----------",), 0.5, 1, sections="0111"),
            Part("bass", ("0-----------", "0-------2---"), 0.5, -1),
            Part("flute", ("4-----3-2---", "1-----------", "2-----4-3---", "2-----------"),
                 0.25, 2, "scale", "0010"),
        ),
        beats=3, room=0.45, accent="piano",
    ),
    Track(
        "Moss", 78, -6, "major",
        ((0, "add9"), (-3, "m7"), (5, "maj7"), (-5, "sus4")),
        (
            Part("guitar", ("0.2.3.2.4.2.3.2.", "0.3.2.4.3.2.3.2."), 0.85, 1, pan=-0.15),
            _held("air", 0.6, 1),
            _held("sub", 0.4, -1, "0111", "0"),
            Part("celesta", ("........7---6---", "................"), 0.22, 1, "scale", "0101", 0.4),
        ),
        (Drum("brush", "....o.......o...", 0.10, "0011"),),
        room=0.4, accent="guitar",
    ),
)

_BRIGHT = (
    Track(
        "Morning", 104, -6, "major",
        ((0, "add9"), (-5, ""), (-3, "m7"), (5, "maj7")),
        (
            _held("pad", 0.55),
            Part("pluck", ("0.1.2.3.2.1.3.2.", "0.2.1.3.2.3.1.2."), 0.75, 1, pan=0.2),
            Part("muted", ("0.0.0.0.0.0.0.0.",), 0.35, 0, sections="0111"),
            Part("bass", ("0-----0-0-----2-",), 0.55, -1),
            Part("celesta", ("4---2---5---4---", "2-------........"), 0.28, 1, "scale", "0010", -0.3),
        ),
        (Drum("kick", "x.......x.......", 0.5), Drum("hat", "..x...x...x...xo", 0.09, "0111", 0.3),
         Drum("clap", "....x.......x...", 0.16, "0011")),
    ),
    Track(
        "Windows", 118, -2, "major",
        ((0, ""), (5, "add9"), (-3, "m7"), (-5, "")),
        (
            Part("guitar", ("c..cc..c.c.cc.c.", "c..cc..c.c.ccc.."), 0.75, 1, pan=-0.2),
            Part("bass", ("0---0---0-0-2---",), 0.6, -1),
            Part("celesta", ("..4.5.7...5.4...", "..2.4.5...4.2..."), 0.35, 1, "scale", "0101", 0.35),
            _held("organ", 0.25, 1, "0011"),
        ),
        (Drum("kick", "x.....x.x.......", 0.5), Drum("clap", "....x.......x...", 0.22, "0111"),
         Drum("shaker", "x.o.x.o.x.o.x.o.", 0.08, "1111", 0.4)),
        room=0.25,
    ),
    Track(
        "Sail", 96, -5, "major",
        ((0, "maj7"), (-3, "m7"), (2, "m7"), (-5, "7")),
        (
            Part("rhodes", ("..c...c-..c...c-", "..c...c-..c-..c."), 0.8, 1),
            Part("bass", ("0---2---1---2---", "0---2---3---2---"), 0.65, -1),
            Part("flute", ("4---5-4-2-------", "..2-4---5-------", "7---5-4-2---1---", "2-------........"),
                 0.35, 1, "scale", "0101", 0.2),
        ),
        (Drum("kick", "x.......x.o.....", 0.4), Drum("rim", "....x.......x...", 0.12, "0111", -0.3),
         Drum("shaker", "x.x.x.x.x.x.x.x.", 0.08, "1111", 0.35)),
        swing=0.3, room=0.3, accent="rhodes",
    ),
    Track(
        "Kite", 126, 5, "major",
        ((-3, "m7"), (5, ""), (0, "add9"), (-5, "sus4")),
        (
            Part("pluck", ("0123210123012321",), 0.55, 1, pan=-0.25),
            _held("pad", 0.7),
            Part("sub", ("..0-..0-..0-..0-",), 0.55, -1, sections="0111"),
            Part("bell", ("4-------2-------", "................"), 0.22, 2, "scale", "0010", 0.4),
        ),
        (Drum("kick", "x...x...x...x...", 0.55, "0111"), Drum("hat", "..x...x...x...x.", 0.10, "1111", 0.25),
         Drum("snare", "....o.......o...", 0.12, "0011")),
        accent="bell",
    ),
)

_NEWS = (
    Track(
        "Bulletin", 112, 0, "minor",
        ((0, "m"), (-4, ""), (3, ""), (-2, "")),
        (
            _held("pad", 0.7),
            Part("muted", ("0.0.0.0.0.0.0.0.", "0.0.0.0.0.0.2.1."), 0.8, 0),
            Part("pizzicato", ("..2...1...2...3.",), 0.35, 1, sections="0111", pan=0.3),
            _held("sub", 0.4, -1, sign="0"),
        ),
        (Drum("kick", "x.......x.......", 0.45), Drum("hat", "..x...x...x...x.", 0.10, "1111", 0.25)),
        accent="bell",
    ),
    Track(
        "Wire", 120, 3, "minor",
        ((0, "m7"), (-4, "maj7"), (5, "m"), (-5, "m7")),
        (
            Part("pizzicato", ("0.0200.20.0200.3", "0.0200.20.0203.2"), 0.75, 1, pan=-0.2),
            Part("strings", ("c--.....c--.....", "c-------........"), 0.5, 1, sections="0111"),
            Part("sub", ("0-----0-0-----0-",), 0.6, -1),
        ),
        (Drum("hat", "x.oox.oox.oox.oo", 0.08, "1111", 0.3), Drum("kick", "x.....x...x.....", 0.45, "0111"),
         Drum("rim", "....x.......x...", 0.12, "0011", -0.35)),
        room=0.25, accent="strings",
    ),
    Track(
        "Desk", 100, 5, "minor",
        ((0, "m7"), (3, "maj7"), (-2, ""), (5, "sus2")),
        (
            Part("marimba", ("0.2.1.2.0.2.1.3.", "0.2.1.2.3.2.1.2."), 0.8, 1, pan=0.2),
            _held("organ", 0.35, 1),
            Part("bass", ("0---0-..0---2-..",), 0.6, -1),
        ),
        (Drum("rim", "...x..x....x..x.", 0.10, "0111", -0.3), Drum("kick", "x.......x.......", 0.4)),
        room=0.25, accent="marimba",
    ),
    Track(
        "Headline", 132, -5, "minor",
        ((0, "m"), (0, "m"), (-4, ""), (-2, "sus4")),
        (
            Part("bass", ("0.0.0.0.0.0.0.0.", "0.0.0.0.0.0.2.0."), 0.7, -1),
            Part("brass", ("c-------........", "................"), 0.45, 1, sections="0111"),
            _held("strings", 0.45, 1),
            Part("muted", ("0.1.2.1.0.1.2.1.",), 0.4, 1, sections="0011", pan=0.3),
        ),
        (Drum("tom", "x..x..x...x.....", 0.35), Drum("snare", "....x.......x..o", 0.16, "0111"),
         Drum("hat", "x.x.x.x.x.x.x.x.", 0.07, "0011", 0.3)),
        accent="brass",
    ),
)

_HOPEFUL = (
    Track(
        "Ascent", 84, 2, "major",
        ((0, ""), (-5, ""), (-3, "m7"), (5, "add9")),
        (
            Part("piano", ("c.c.c.c.c.c.c.c.",), 0.75, 1),
            _held("strings", 0.55, 1, "0111"),
            _held("sub", 0.5, -1, sign="0"),
            Part("strings", ("4-------5-------", "7---------------", "5-------4-------", "2---------------"),
                 0.3, 1, "scale", "0011", 0.3),
        ),
        (Drum("kick", "x.......x.......", 0.4, "0011"), Drum("brush", "....x.......x...", 0.12, "0011")),
        room=0.5, accent="piano",
    ),
    Track(
        "Far Shore", 92, 1, "major",
        ((0, "add9"), (-3, "m7"), (5, "maj7"), (0, "sus2")),
        (
            Part("guitar", ("0..2..3.4..3..2.", "0..2..4.3..2..3."), 0.8, 1, pan=0.15),
            _held("pad", 0.7),
            Part("bass", ("0-----0---------",), 0.55, -1, sections="0111"),
            Part("bell", ("................", "....4-------....", "................", "....5---4-------"),
                 0.2, 1, "scale", "0101", -0.35),
        ),
        (Drum("kick", "x..x............", 0.45), Drum("brush", "..o...o...o...o.", 0.09, "0111", 0.3)),
        room=0.5, accent="guitar",
    ),
    Track(
        "First Light", 76, -1, "major",
        ((5, "maj7"), (0, ""), (-5, "sus4"), (-3, "m7")),
        (
            _held("strings", 0.9, 1),
            _held("air", 0.5, 2, "0111"),
            Part("bell", ("4-------2-------", "3---------------", "5-------4-------", "2---------------"),
                 0.38, 1, "scale", "1111", 0.2),
            _held("sub", 0.6, -1, sign="0"),
        ),
        (Drum("tom", "x.......o.......", 0.2, "0011"),),
        room=0.6, accent="bell",
    ),
    Track(
        "Open Road", 108, 0, "major",
        ((0, ""), (5, ""), (-3, "m7"), (-5, "sus4")),
        (
            Part("guitar", ("0.2.3.2.0.2.3.2.", "c...c..c..c.c.c."), 0.75, 0, pan=-0.25),
            _held("organ", 0.5, 1),
            Part("bass", ("0-0-0-0-0-0-0-0-",), 0.55, -1, sections="0111"),
            Part("piano", ("4---....2---....", "5---....4---2---"), 0.4, 1, "scale", "0011", 0.3),
        ),
        (Drum("kick", "x...x...x...x...", 0.4, "0111"), Drum("clap", "....x.......x...", 0.16, "0011"),
         Drum("shaker", "o.x.o.x.o.x.o.x.", 0.07, "1111", 0.4)),
        accent="piano",
    ),
)

_TENSE = (
    Track(
        "Undertow", 88, -4, "minor",
        ((0, "m"), (0, "m"), (1, "maj7"), (-4, "")),
        (
            Part("strings", ("0.0.1.0.0.2.1.0.", "0.0.1.0.0.1.2.1."), 0.7, 0),
            _held("sub", 0.45, -1, sign="0"),
            _held("air", 0.45, 1, "0111"),
        ),
        (Drum("tom", "x.....x...x.....", 0.4), Drum("rim", "..o...o...o...o.", 0.06, "0011", 0.4)),
        room=0.55, accent="brass",
    ),
    Track(
        "Static", 98, 2, "minor",
        ((0, "m"), (1, ""), (0, "m"), (-2, "sus2")),
        (
            _held("pad", 0.7, 0),
            Part("bass", ("0--0--0---0--0--",), 0.7, -1),
            Part("muted", ("0000000000000000",), 0.25, 2, sections="0111", pan=0.35),
            Part("rhodes", ("........2-------", "................"), 0.35, 1, "scale", "0101", -0.3),
        ),
        (Drum("rim", "x.oox.oox.oox.oo", 0.07, "1111", -0.3), Drum("kick", "x.........x.....", 0.5, "0111")),
        room=0.4, accent="rhodes",
    ),
    Track(
        "Cold Room", 60, 4, "minor",
        ((0, "m9"), (-4, "maj7"), (0, "m9"), (1, "maj7")),
        (
            Part("piano", ("0-------4-------", "....3-------2---", "0-------2-------", "....4-----------"),
                 0.7, 1),
            _held("strings", 0.5, 0),
            _held("sub", 0.6, -1, sign="0"),
            Part("bell", ("............7---", "................"), 0.18, 1, "scale", "0101", 0.5),
        ),
        room=0.7, accent="piano",
    ),
    Track(
        "Countdown", 116, -3, "minor",
        ((0, "m"), (-4, "maj7"), (-2, ""), (1, "")),
        (
            Part("bass", ("0.0.0.0.0.0.0.0.",), 0.75, -1),
            Part("organ", ("c---------------",), 0.3, 1),
            Part("brass", ("0-------1-------", "2---------------"), 0.4, 0, sections="0011"),
            Part("marimba", ("0...0...0...0...", "0...0...0...2.1."), 0.5, 2, pan=0.3),
        ),
        (Drum("hat", "x.x.x.x.x.x.x.xo", 0.08, "1111", 0.3), Drum("kick", "x...x...x...x...", 0.5, "0111"),
         Drum("tom", "............x.x.", 0.25, "0101")),
        room=0.3, accent="brass",
    ),
)

_PLAYFUL = (
    Track(
        "Pocket", 110, -4, "major",
        ((0, "6"), (-3, "m7"), (5, ""), (-5, "7")),
        (
            Part("marimba", ("0..2.3..2.3.4.3.", "0..2.3..4.3.2..."), 0.8, 1, pan=0.2),
            Part("pizzicato", ("0...2...0...2...",), 0.75, -1),
            Part("clarinet", ("4---5-4-........", "........2-4-2---"), 0.3, 1, "scale", "0101", -0.25),
        ),
        (Drum("clap", "....x.......x...", 0.20, "0111"),
             Drum("shaker", "x.o.x.o.x.o.x.o.", 0.08, "1111", 0.35),
         Drum("kick", "x.....o.x.......", 0.4)),
        swing=0.33, room=0.2, accent="marimba",
    ),
    Track(
        "Teacups", 138, 3, "major",
        ((0, ""), (5, "6"), (-5, "7"), (0, "")),
        (
            Part("celesta", ("4-..5-..7-..", "5-..4-......", "2-..4-..5-..", "4-----......"),
                 0.65, 1, "scale", "1111", 0.2),
            Part("pizzicato", ("0...........",), 0.8, -1),
            Part("pizzicato", ("....c...c...",), 0.5, 1, pan=-0.2),
            Part("clarinet", ("7---------..", "5---------..", "4-----5-----", "4---------.."),
                 0.3, 0, "scale", "0011"),
        ),
        (Drum("brush", "....x...x...", 0.10, "0111", 0.3),),
        beats=3, room=0.3,
    ),
    Track(
        "Tiptoe", 94, 1, "major",
        ((0, ""), (-3, "m"), (2, "m7"), (-5, "7")),
        (
            Part("pizzicato", ("0...2...1...2...", "0...2...3.2.1..."), 0.8, 0),
            Part("clarinet", ("..4.5.4.2-......", "..1.2.4.5-..4...", "..7.5.4.2-..1...", "2-----.........."),
                 0.5, 1, "scale", "0111", 0.2),
            Part("celesta", ("..c...c...c...c.",), 0.25, 1, pan=-0.35, sections="0011"),
        ),
        (Drum("rim", "..x...x...x..xx.", 0.10, "1111", -0.3), Drum("kick", "x.......x.......", 0.35, "0111")),
        swing=0.25, room=0.25, accent="pizzicato",
    ),
    Track(
        "Hopscotch", 122, -2, "major",
        ((0, ""), (-5, "7"), (-3, "m"), (5, "6")),
        (
            Part("guitar", ("c.cc.cc.c.cc.cc.", "c.cc.cc.c.c.c.cc"), 0.7, 2, pan=-0.2),
            Part("flute", ("4-2-4-5-7---5---", "4---2---........", "5-4-5-7-9---7---", "5-------........"),
                 0.4, 2, "scale", "0101", 0.2),
            Part("bass", ("0-..2-..0-..2-..",), 0.6, -1),
        ),
        (Drum("kick", "x...x...x...x...", 0.4), Drum("clap", "....x.......x.x.", 0.18, "0111"),
         Drum("shaker", "x.x.x.x.x.x.x.x.", 0.07, "0011", 0.4)),
        room=0.2, accent="marimba",
    ),
)

# fmt: on
# Names that planning shares (tests/contract/test_planned_names.py).
MOODS = {
    "calm": _CALM,
    "bright": _BRIGHT,
    "news": _NEWS,
    "hopeful": _HOPEFUL,
    "tense": _TENSE,
    "playful": _PLAYFUL,
}
