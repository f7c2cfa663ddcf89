"""A made-up ladder in the form ``minquant.benchmark.ladder`` measures; no figure in it means anything."""


def row(weights, bits, speed, kl, perplexity):
    """One level; ``speed`` in tok/s or None."""
    spread = (None, None) if speed is None else (speed * 0.9, speed * 1.1)
    return {"weights": weights, "bits_per_weight": bits, "footprint_bytes_0_8b": int(bits * 1e8),
            "tokens_per_s": speed, "tokens_per_s_p10": spread[0], "tokens_per_s_p90": spread[1],
            "gb_per_s": speed and speed * bits / 80, "kl": kl, "kl_stderr": kl / 10, "perplexity": perplexity,
            "perplexity_stderr": perplexity / 50}


LADDER = [row("bf16", 16.0, 20.0, 0.0, 9.0), row("fp8_e4m3:channel", 8.03, 35.0, 2e-3, 9.0),
          row("int8:channel", 8.03, 36.0, 3e-4, 9.0), row("int4:g32", 4.5, 30.0, 0.03, 9.4),
          row("int3:g32", 3.5, None, 0.2, 11.0), row("int2:g32", 2.5, None, 3.0, 300.0)]
