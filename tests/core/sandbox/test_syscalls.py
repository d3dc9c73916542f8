"""What the kernel refuses a program in a sandbox, and what it still grants."""

from pathlib import Path

from tests.core.sandbox.commands import output, python

ASK = """
import ctypes, os, platform, socket, subprocess, threading
libc = ctypes.CDLL(None, use_errno=True)
def call(*words):
    ctypes.set_errno(0)
    print("allowed" if libc.syscall(*words) >= 0 else os.strerror(ctypes.get_errno()))
x86 = platform.machine() == "x86_64"
call(248 if x86 else 217, b"user", b"name", b"x", 1, -3)  # add_key
call(321 if x86 else 280, 0, 0, 0)  # bpf
call(425, 1, 0)  # io_uring_setup
call(435, 0, 0)  # clone3
for family in (socket.AF_VSOCK, socket.AF_ALG, socket.AF_INET):
    try:
        socket.socket(family).close()
        print("allowed")
    except OSError as error:
        print(error.strerror)
thread = threading.Thread(target=lambda: print("thread", flush=True)); thread.start(); thread.join()
tries = "unshare --user id; unshare --user --map-root-user id"  # where a program would be root
subprocess.run(["sh", "-c", f"(echo child) | cat; ({tries}) 2>&1 | grep -c 'Operation not permitted'"], check=True)
"""


def test_parts_of_the_kernel_that_no_namespace_divides_are_out_of_reach_and_all_else_is_as_ever(folder: Path) -> None:
    refused, granted = ["Operation not permitted"], ["allowed", "thread", "child", "2"]
    assert output(python(ASK, folder)) == refused * 3 + ["Function not implemented"] + refused * 2 + granted
