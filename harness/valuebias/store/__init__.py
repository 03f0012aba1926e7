"""The store: scores computed once, kept under the address of what they were made from."""
