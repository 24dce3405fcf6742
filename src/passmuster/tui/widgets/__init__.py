"""Widgets that draw their own lines; none of them reads a table or knows what an identity is."""
