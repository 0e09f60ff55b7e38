"""Other people's tools: each module here brings one of them, and none is imported before it is asked for."""
