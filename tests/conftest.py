"""What every test gets: signals as a terminal gives them; fixtures live beside the tests."""

import os
import signal

from hypothesis import settings

# Started in the background a shell has SIGINT ignored, and every program below inherits that;
# tests interrupt programs as a person would.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long one example takes tells of the machine; what hangs is ended by the test's own deadline.
settings.register_profile("scomod", deadline=None, max_examples=40)
settings.load_profile("scomod")

# A booted system is there only where script/image has made one.
collect_ignore = [] if "SCOMOD_IMAGE_DIR" in os.environ else ["image"]
