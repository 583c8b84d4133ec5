"""The network that tells whose face it is: its description, its file and the OpenVINO graph."""
