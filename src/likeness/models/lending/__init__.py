"""The network that judges what another photograph may lend: description, file, PyTorch module and OpenVINO graph."""
