"""What is read: one module per system; ``belief`` judges whether an answer can be true."""
