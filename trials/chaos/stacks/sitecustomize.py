"""In a worker's path: on SIGUSR1 it prints what each of its threads is doing."""

import faulthandler
import signal

faulthandler.register(signal.SIGUSR1, all_threads=True)
