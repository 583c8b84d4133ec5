"""The networks that draw eyes and mouth anew: description, path from noise to picture, file, PyTorch module and OpenVINO graph."""
