"""Bad input against a running broker: bytes of any kind at every layer, from one seed."""
