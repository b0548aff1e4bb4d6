"""What every test relies on."""

import signal

# A shell that starts us in the background makes us ignore SIGINT, and every program that we start would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
