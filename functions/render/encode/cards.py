"""Name the NVIDIA card and its driver, by NVML, which the container runtime mounts with the driver."""

import contextlib
import ctypes
from dataclasses import dataclass
from functools import cache

_NAME_BYTES = 96


@dataclass(frozen=True)
class Card:
    """An NVIDIA card, such as "Tesla T4", and the version of its driver, such as "570.86.15"."""

    name: str
    driver: str

    def __str__(self) -> str:
        return f"{self.name}, driver {self.driver}"


@cache
def find_card() -> Card | None:
    """Return the first card of this machine, or None without a card or driver."""
    with contextlib.suppress(OSError, AttributeError):
        return _read(ctypes.CDLL("libnvidia-ml.so.1"))
    return None


def _read(nvml: ctypes.CDLL) -> Card | None:
    if nvml.nvmlInit_v2():
        return None
    try:
        handle = ctypes.c_void_p()
        name, driver = ctypes.create_string_buffer(_NAME_BYTES), ctypes.create_string_buffer(_NAME_BYTES)
        failed = (
            nvml.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(handle))
            or nvml.nvmlDeviceGetName(handle, name, _NAME_BYTES)
            or nvml.nvmlSystemGetDriverVersion(driver, _NAME_BYTES)
        )
        return None if failed else Card(name.value.decode(), driver.value.decode())
    finally:
        nvml.nvmlShutdown()
