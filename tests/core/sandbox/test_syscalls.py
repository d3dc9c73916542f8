"""What the kernel refuses a program in a sandbox, and what it still grants."""

from pathlib import Path

from tests.core.sandbox.commands import output, python, shell

CALL = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def call(*words):
    ctypes.set_errno(0)
    print("allowed" if libc.syscall(*words) >= 0 else os.strerror(ctypes.get_errno()))
"""


def test_no_user_namespace_can_be_made_in_which_a_program_would_be_root(folder: Path) -> None:
    tries = "unshare --user id; unshare --user --map-root-user id"
    assert output(shell(f"({tries}) 2>&1 | grep -c 'Operation not permitted'", folder)) == ["2"]


def test_parts_of_the_kernel_that_no_namespace_divides_are_out_of_reach(folder: Path) -> None:
    code = CALL + (
        "import platform, socket\n"
        "x86 = platform.machine() == 'x86_64'\n"
        "call(248 if x86 else 217, b'user', b'name', b'x', 1, -3)\n"  # add_key
        "call(321 if x86 else 280, 0, 0, 0)\n"  # bpf
        "call(425, 1, 0)\n"  # io_uring_setup
        "call(435, 0, 0)\n"  # clone3
        "for family in (socket.AF_VSOCK, socket.AF_ALG, socket.AF_INET):\n"
        "    try: socket.socket(family).close(); print('allowed')\n"
        "    except OSError as error: print(error.strerror)\n"
    )
    refused = "Operation not permitted"
    expected = [refused, refused, refused, "Function not implemented", refused, refused, "allowed"]
    assert output(python(code, folder)) == expected


def test_threads_and_children_start_as_ever(folder: Path) -> None:
    code = (
        "import subprocess, threading\n"
        "thread = threading.Thread(target=lambda: print('thread', flush=True)); thread.start(); thread.join()\n"
        "subprocess.run(['sh', '-c', '(echo child) | cat'], check=True)\n"
    )
    assert output(python(code, folder)) == ["thread", "child"]
