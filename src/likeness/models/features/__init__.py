"""The networks that draw faces anew: description, path from noise, file, PyTorch module and OpenVINO graph."""
