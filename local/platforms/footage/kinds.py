"""Name all kinds of clips that can be drawn."""

from collections.abc import Callable

from local.platforms.footage.canvas import Canvas, Draw
from local.platforms.footage.lights import lights
from local.platforms.footage.maps import world
from local.platforms.footage.places import city, mountains
from local.platforms.footage.sky import clouds, space
from local.platforms.footage.technology import fibers, machine, network
from local.platforms.footage.water import sea, underwater

_ALL = (sea, underwater, city, world, fibers, space, mountains, network, machine, clouds, lights)
KINDS: dict[str, Callable[[Canvas], Draw]] = {each.__name__: each for each in _ALL}
