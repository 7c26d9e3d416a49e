"""The command line of polymodal."""
