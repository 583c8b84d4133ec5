"""Real-ESRGAN's compact network: the description, the PyTorch module and the OpenVINO graph."""
