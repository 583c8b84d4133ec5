"""Where the network runs: OpenVINO in the base install, PyTorch with the extra."""
