"""
The stock AWS command line, loaded once: most of the time of a call is Python loading it. Each call
is a process of its own, forked from the one that has loaded it, and does there what /usr/bin/aws
does.

    loaded_aws.py <socket>

A connection is a call. Its request is a line of JSON, {"args": [...], "env": {...}}, with variables
beside those of this process; its answer is JSON, {"code", "stdout", "stderr"}.
"""
import ctypes
import json
import os
import signal
import socket
import sys

import awscli.clidriver
import awscli.handlers  # what a call would load

PR_SET_PDEATHSIG = 1


def call(connection):
    with connection.makefile("rw") as stream:
        request = json.loads(stream.readline())
        os.environ.update(request["env"])
        sys.argv = ["aws", *request["args"]]
        files = [os.memfd_create(name) for name in ("stdout", "stderr")]
        for descriptor, file in zip((1, 2), files):
            os.dup2(file, descriptor)
        try:
            code = awscli.clidriver.main()
        except SystemExit as end:
            code = end.code
        sys.stdout.flush()
        sys.stderr.flush()
        stdout, stderr = (os.pread(file, os.fstat(file).st_size, 0).decode() for file in files)
        json.dump({"code": code, "stdout": stdout, "stderr": stderr}, stream)


def main():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # calls are not waited for
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(sys.argv[1])
    listener.listen(64)
    print("ready", flush=True)
    while True:
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            call(connection)
            os._exit(0)
        connection.close()


main()
