"""How the data files of `voice.recognition` were made. Needs the extra `train`."""
