"""The network that enlarges photographs: its description, its file, the PyTorch module and the OpenVINO graph."""
