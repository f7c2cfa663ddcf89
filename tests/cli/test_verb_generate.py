"""``minquant generate`` on a very small model."""

from __future__ import annotations

import json

from minquant import Recipe, load


def test_it_writes_what_the_model_writes(command, checkpoint):
    done = command("generate", checkpoint, "--prompt", "Return the", "--tokens", 7, "--temperature", 0.9, "--top-p", 0.8,
                   "--seed", 3, "--weights", "int4:g32", "--json")
    assert done.code == 0 and done.err == ""
    got = json.loads(done.out)
    model = load(checkpoint)
    prompt = model.tokenizer.encode("Return the")
    ref = model.quantize(Recipe(weights="int4:g32")).generate(prompt, 7, temperature=0.9, top_p=0.8, seed=3)
    assert got["tokens"] == ref.tolist() and got["text"] == model.tokenizer.decode(ref)
    assert got["prompt"] == "Return the" and got["recipe"] == {"weights": "int4:g32", "method": "rtn"}


def test_the_text_follows_the_prompt_and_the_seed_decides_it(command, checkpoint):
    def text(*words):
        return command("generate", checkpoint, "--prompt", "Return", "--tokens", 12, *words).out

    assert text("--seed", 1).startswith("Return") and text("--seed", 1) == text("--seed", 1) != text("--seed", 2)
    assert text("--temperature", 0, "--seed", 1) == text("--temperature", 0, "--seed", 2)


def test_an_empty_prompt_starts_a_text(command, checkpoint):
    assert command("generate", checkpoint, "--prompt", "", "--tokens", 3).code == 0


def test_a_calibrated_method_writes_too(command, checkpoint):
    words = ("generate", checkpoint, "--tokens", 9, "--temperature", 0, "--weights", "int2:channel")
    written = command(*words, "--method", "gptq", "--calibration-tokens", 60)
    assert written.code == 0 and written.out != command(*words).out


def test_what_does_not_fit_is_refused(refused, checkpoint):
    assert "do not fit a context of 64" in refused("generate", checkpoint, "--prompt", "Return", "--tokens", 100)
    assert "unknown scheme 'int9'" in refused("generate", checkpoint, "--weights", "int9")
    assert "outside 0 to 1" in refused("generate", checkpoint, "--top-p", "1.01")
