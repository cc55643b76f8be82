"""An OpenAI-compatible language model on one machine: SmolLM2-135M for a topic without source, sentence
selection for a source.
"""
