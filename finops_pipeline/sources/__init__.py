"""What is read: one module per system, and what is made of the answers before they are kept.

``belief`` judges whether an answer can be true, ``states`` turns listings into changes, ``vitals``
asks what the doctor wants to know.
"""
