"""Networks: one folder for each architecture, the table of them, weights as files, the catalog and the store."""
