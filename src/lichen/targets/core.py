"""The processor cores Lichen compiles for: what kernels may rely on, and how the compiler is told."""

from __future__ import annotations

from dataclasses import dataclass

from lichen.ir.kernel import Core


@dataclass(frozen=True)
class Processor:
    """A core with the compiler (`arm-none-eabi-gcc` or `avr-gcc`) and the flags that select it."""

    core: Core
    compiler: str
    flags: tuple[str, ...]


def _cortex_m(name: str, features: str, *flags: str) -> Processor:
    return Processor(Core(name, frozenset(features.split())), "arm-none-eabi-gcc", ("-mthumb", *flags))


PROCESSORS: dict[str, Processor] = {
    processor.core.name: processor
    for processor in (
        _cortex_m("cortex-m0", "v6m", "-mcpu=cortex-m0", "-mfloat-abi=soft"),
        _cortex_m("cortex-m0plus", "v6m", "-mcpu=cortex-m0plus", "-mfloat-abi=soft"),
        _cortex_m("cortex-m3", "", "-mcpu=cortex-m3", "-mfloat-abi=soft"),
        _cortex_m("cortex-m4f", "dsp fpu", "-mcpu=cortex-m4", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"),
        _cortex_m("cortex-m7f", "dsp fpu", "-mcpu=cortex-m7", "-mfloat-abi=hard", "-mfpu=fpv5-sp-d16"),
        _cortex_m("cortex-m33", "dsp fpu", "-mcpu=cortex-m33", "-mfloat-abi=hard", "-mfpu=fpv5-sp-d16"),
        _cortex_m("cortex-m55", "dsp fpu mve", "-mcpu=cortex-m55", "-mfloat-abi=hard", "-mfpu=auto"),
        # No tables in the place of switches: they would be copied to RAM. -mrelax: short calls and jumps where they reach.
        Processor(Core("avr5", frozenset({"avr"})), "avr-gcc", ("-mrelax", "-fno-tree-switch-conversion")),
    )
}
