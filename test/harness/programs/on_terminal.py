"""Runs a program on a pseudo terminal and types when something has appeared.

    on_terminal.py COLUMNS ROWS STEPS PROGRAM [ARGUMENT...]

STEPS is JSON: [[text, keys], ...]. As soon as `text` has been written after the step before, `keys`
are typed, or, when they are the name of a signal, the signal is sent. What the program wrote goes
to standard output, and its exit code is that of this program; a step that is not reached within
20 s is 99.
"""
import fcntl
import json
import os
import pty
import select
import signal
import struct
import sys
import termios
import time

columns, rows, steps = int(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3])
pid, terminal = pty.fork()
if pid == 0:
    # The size before the program starts, so that its first look is right.
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))
    os.execvp(sys.argv[4], sys.argv[4:])

output, seen, deadline = b'', 0, time.monotonic() + 20
while True:
    ready, _, _ = select.select([terminal], [], [], 0.5)
    if time.monotonic() > deadline:
        os.kill(pid, signal.SIGKILL)
        sys.stdout.buffer.write(output)
        sys.exit(99)
    if not ready:
        continue
    try:
        chunk = os.read(terminal, 65536)
    except OSError:  # EIO: the program has closed the terminal
        chunk = b''
    if not chunk:
        break
    output += chunk
    while steps and (at := output.find(steps[0][0].encode(), seen)) != -1:
        seen, keys = at + len(steps[0][0].encode()), steps.pop(0)[1]
        if keys.startswith('SIG'):
            os.kill(pid, getattr(signal, keys))
        else:
            os.write(terminal, keys.encode())

_, status = os.waitpid(pid, 0)
sys.stdout.buffer.write(output)
sys.stdout.flush()
sys.exit(os.waitstatus_to_exitcode(status))
