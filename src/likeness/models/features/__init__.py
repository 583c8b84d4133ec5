"""The networks that draw eyes and mouth anew: description, path from noise, file, PyTorch module and OpenVINO graph."""
