"""The OCI image layout in pure Python."""
