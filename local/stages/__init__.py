"""Operate the stages of real accounts: what `make preflight`, `secrets`, `deploy`, `admin`, `smoke`, `trace`, `restore` and `destroy` are made of."""
