"""What `./dev bench` measures; each module is one group of figures."""
