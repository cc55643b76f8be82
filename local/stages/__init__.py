"""Operate the stages of real accounts: the commands behind `make preflight`, `deploy`, `verify`, …"""
