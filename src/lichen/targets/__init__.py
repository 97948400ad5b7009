"""Boards, toolchains, firmware, emulators and the profiler."""
