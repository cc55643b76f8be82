"""`python -m local.language`: load the model and listen on LANGUAGE_PORT."""

import os
import time

from local.model_server import listen, port_from, serve

# The product's default models; LANGUAGE_MODELS (comma-separated names) adds others.
MODELS = ("gpt-6-luna", "gpt-6.1-terra")
# Far more than a brief with source text needs; LANGUAGE_CONTEXT_TOKENS changes it (for tests).
CONTEXT_TOKENS = 128_000


def main() -> None:
    listener = listen(port_from("LANGUAGE_PORT", 8101), "LANGUAGE_PORT")
    started = time.perf_counter()
    from local.language import drawing, requests
    from local.language.model import NAME, Model
    from local.language.server import LanguageServer, application

    # The SDK's types take seconds to import on a busy machine: before the first request, not during it.
    requests.parameters()
    model = Model()
    more = [name.strip() for name in os.environ.get("LANGUAGE_MODELS", "").split(",") if name.strip()]
    context = int(os.environ.get("LANGUAGE_CONTEXT_TOKENS") or CONTEXT_TOKENS)
    print(f"language: ready in {time.perf_counter() - started:.1f} s", flush=True)
    names = tuple(dict.fromkeys([*MODELS, *more]))
    serve(application(LanguageServer(model, NAME, names, context, drawing.draw)), listener)


if __name__ == "__main__":
    main()
