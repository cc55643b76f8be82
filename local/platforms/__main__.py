"""The foreign platforms' stand-ins on one loopback port."""

import sys

from local.platforms.server import main

sys.exit(main())
