"""Analysis: from measurements to a verdict, and from templates to the runs that take them."""
