"""GFPGAN: its description and the OpenVINO graph; in PyTorch it is spandrel's."""
