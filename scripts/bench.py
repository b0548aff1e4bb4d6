"""`./dev bench`: measures what docs/performance.md reports. See `--help`, and the modules of `bench/`."""

from bench.main import main

if __name__ == "__main__":
    main()
