"""What every test gets: signals as a terminal gives them; fixtures live beside the tests."""

import signal

# Started in the background a shell has SIGINT ignored, and every program below inherits that;
# tests interrupt programs as a person would.
signal.signal(signal.SIGINT, signal.default_int_handler)
