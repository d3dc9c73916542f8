"""What a program in a sandbox may not ask the kernel for: a filter that bubblewrap hands to seccomp(2).

It refuses ways to more rights and to parts of the kernel that no namespace divides: user namespaces (in one of its own
a program would be root again), virtual machines' sockets, the kernel's keys, its programs and its counters.
"""

import errno
import os
import struct

#: By os.uname().machine: the audit number of the architecture, and the numbers of its system calls.
_ARCHITECTURES = {
    "x86_64": (
        0xC000003E,
        {"clone": 56, "unshare": 272, "socket": 41},
        (248, 249, 250, 298, 321, 323),  # add_key, request_key, keyctl, perf_event_open, bpf, userfaultfd
    ),
    "aarch64": (
        0xC00000B7,
        {"clone": 220, "unshare": 97, "socket": 198},
        (217, 218, 219, 241, 280, 282),
    ),
}
_IO_URING = (425, 426, 427)
_CLONE3 = 435
_X32 = 0x4000_0000  # the first of x86_64's second set of numbers

_CLONE_NEWUSER = 0x1000_0000
_FAMILIES = (38, 40)  # AF_ALG, AF_VSOCK

_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # where they lie in struct seccomp_data
_LOAD, _EQUAL, _AT_LEAST, _HAS_BITS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # see linux/bpf_common.h
_ALLOW, _FAIL = 0x7FFF_0000, 0x0005_0000  # SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO

Step = tuple[int, int, int, int]


def forbidden() -> bytes | None:
    """The filter for this machine; None for an architecture that is not known here."""
    known = _ARCHITECTURES.get(os.uname().machine)
    if known is None:
        return None
    architecture, numbers, plain = known
    refuse, absent, allow = (_end(_FAIL | errno.EPERM), _end(_FAIL | errno.ENOSYS), _end(_ALLOW))
    new_user = [_load(_FIRST_ARGUMENT), *_when(_HAS_BITS, _CLONE_NEWUSER, refuse), *allow]
    family = [_load(_FIRST_ARGUMENT), *(step for each in _FAMILIES for step in _when(_EQUAL, each, refuse)), *allow]
    steps = [
        _load(_ARCHITECTURE),
        (_EQUAL, 1, 0, architecture),
        *absent,
        _load(_NUMBER),
        *_when(_AT_LEAST, _X32, absent),
        *_when(_EQUAL, _CLONE3, absent),  # its flags lie where no filter can look; callers take clone instead
        *_when(_EQUAL, numbers["clone"], new_user),
        *_when(_EQUAL, numbers["unshare"], new_user),
        *_when(_EQUAL, numbers["socket"], family),
        *(step for each in (*plain, *_IO_URING) for step in _when(_EQUAL, each, refuse)),
        *allow,
    ]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


def _load(offset: int) -> Step:
    return (_LOAD, 0, 0, offset)


def _when(test: int, value: int, then: list[Step]) -> list[Step]:
    return [(test, 0, len(then), value), *then]


def _end(answer: int) -> list[Step]:
    return [(_RETURN, 0, 0, answer)]
