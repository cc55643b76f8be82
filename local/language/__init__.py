"""An OpenAI-compatible language model on one machine.

SmolLM2-135M writes about a topic without source; from a source, sentences are selected.
"""
