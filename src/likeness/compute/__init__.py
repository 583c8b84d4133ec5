"""OpenVINO, as everything here uses it: quietly, and with compiled networks kept on disk."""
