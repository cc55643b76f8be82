"""One module for each foreign API. None of them reads settings: addresses and keys are arguments."""
