"""The encoder and decoder that small networks of our own are made of: shapes, PyTorch module and OpenVINO graph."""
