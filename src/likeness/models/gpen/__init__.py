"""GPEN: its description, the PyTorch modules and the OpenVINO graph."""
