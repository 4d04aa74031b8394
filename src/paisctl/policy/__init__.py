"""The policy language of a tailnet: documents, their text, and what they allow. No I/O."""
