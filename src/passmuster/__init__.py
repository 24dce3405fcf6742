"""passmuster: review who, and above all what, may get into a company's systems."""

__version__ = "0.1.0"
