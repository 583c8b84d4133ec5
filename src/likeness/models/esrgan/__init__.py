"""ESRGAN and Real-ESRGAN: the description, the PyTorch module and the OpenVINO graph."""
