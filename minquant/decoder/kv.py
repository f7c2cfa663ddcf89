"""From the name of a cache format to the cache that the kernels read and write.

The names are those of ``Recipe(kv=...)``, and the numbers are the same.
"""

from __future__ import annotations

from ..kernels import caches
from ..model import CacheFormat, Config
from ..scaling import Scheme

KV = ("bf16", "fp8_e4m3:token", "fp8_e4m3:g32", "int8:token", "int8:g32", "int4:token", "int4:g32", "kivi2")
_KINDS = {"bf16": caches.BFloat16Cache, "fp8_e4m3": caches.E4M3Cache, "int8": caches.Int8Cache,
          "int4": caches.Int4Cache, "kivi2": caches.KiviCache}


def check_kv(kv: str) -> str:
    """The format's name as ``KV`` has it. Raises ValueError where there is no kernel for it."""
    form = CacheFormat.parse(kv)
    name = str(Scheme.parse(kv)) if isinstance(form.values, Scheme) and form.keys == form.values else kv
    if name not in KV:
        raise ValueError(f"there is no kernel for a cache in {kv!r}. The decoder caches keys and values in "
                         f"{', '.join(KV)}. (Recipe(kv=...) measures the quality of any scheme, without a kernel.)")
    return name


def cache_type(kv: str) -> tuple[type, int | None]:
    """The type of cache (``kernels.caches``), and how many numbers share a scale; None for a whole row, or none."""
    name, _, shared = check_kv(kv).partition(":")
    return _KINDS[name], caches.GROUP if shared == "g32" else None


def make_cache(kv: str, config: Config, context: int) -> caches.Cache:
    """An empty cache for ``context`` tokens. Raises ValueError for a head size the format cannot have."""
    kind, group = cache_type(kv)
    return caches.make_cache(kind, config.layers, config.kv_heads, context, config.head_dim, group)
