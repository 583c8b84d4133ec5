"""The network that finds scratches, dust and missing pieces: description, file, PyTorch module and OpenVINO graph."""
