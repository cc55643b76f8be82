"""The form in which sound is computed: floats of 48 kHz, mono [sample] or stereo [sample, channel]."""

import numpy as np
import numpy.typing as npt

RATE = 48_000
Sound = npt.NDArray[np.float32]
