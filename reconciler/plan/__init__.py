"""What differs between live and desired, as one value: how it is made, ordered, guarded and shown."""
