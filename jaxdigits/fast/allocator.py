"""The C library's allocator, told to keep what is freed."""

import ctypes
import sys

# Of glibc's malloc.h: parameters of mallopt.
TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD, MMAP_MAX = -1, -2, -3, -4
KEPT = 1 << 26  # bytes asked of the kernel at a time


def keep_freed_memory() -> bool:
    """Let this process use freed memory again, rather than give it back; True if that worked.

    XLA frees its scratch memory after each call of a program.  Large blocks go back to the
    kernel, which clears the pages of the next ones, at every short step.  A program that runs
    a whole epoch does not need this.  For glibc only.
    """
    return _set((MMAP_MAX, 0), (TRIM_THRESHOLD, 2**31 - 1), (TOP_PAD, KEPT))


def give_freed_memory_back() -> bool:
    """Set glibc's own habit, as it is once blocks of 32 MB and more have been freed."""
    return _set((MMAP_MAX, 1 << 16), (MMAP_THRESHOLD, 1 << 25), (TRIM_THRESHOLD, 1 << 26), (TOP_PAD, 1 << 17))


def _set(*options: tuple[int, int]) -> bool:
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and all(mallopt(*option) for option in options)
