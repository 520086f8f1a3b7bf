"""Satellite products as they are delivered: which PAN and MS are in a folder or an archive, and a run over all."""
