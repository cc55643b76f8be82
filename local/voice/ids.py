"""Ids of the stand-in's voices. Nothing heavy is imported: the launcher names them to the stage."""

# What its voices speak.
LANGUAGES = ("en", "es")
# Two voices that the stand-in's account has made for itself, under ids that no real account has.
FEMALE, MALE = "LocalFemaleVoice0001", "LocalMaleVoice000001"
# The premade voices of old. An account that is younger than March 2026 has none of them, and no account after
# 2026-12-31: https://help.elevenlabs.io/hc/en-us/articles/26942950589969
RETIRED = {
    "21m00Tcm4TlvDq8ikWAM": "Rachel",
    "pNInz6obpgDQGcFmaJgB": "Adam",
    "EXAVITQu4vr4xnSDxMaL": "Sarah",
    "ErXwobaYiN019PkySvjV": "Antoni",
    "ThT5KcBeYPX3keUQqHPh": "Dorothy",
    "onwK4e9ZLuTAKqWW03F9": "Daniel",
}
# A voice of the Voice Library: paid plans only, through the API.
LIBRARY = "LibraryVoice00000001"
