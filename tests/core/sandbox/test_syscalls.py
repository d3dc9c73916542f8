"""What the kernel refuses a program in a sandbox, and what it still grants."""

from pathlib import Path

from tests.core.sandbox.commands import output, python, shell

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
subprocess.run(["sh", "-c", "(echo child) | cat"], check=True)
"""


def test_no_user_namespace_can_be_made_in_which_a_program_would_be_root(folder: Path) -> None:
    tries = "unshare --user id; unshare --user --map-root-user id"
    assert output(shell(f"({tries}) 2>&1 | grep -c 'Operation not permitted'", folder)) == ["2"]


def test_parts_of_the_kernel_that_no_namespace_divides_are_out_of_reach_and_all_else_is_as_ever(folder: Path) -> None:
    refused = "Operation not permitted"
    expected = [refused, refused, refused, "Function not implemented", refused, refused, "allowed", "thread", "child"]
    assert output(python(ASK, folder)) == expected
