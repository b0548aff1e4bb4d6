"""Progressive delivery: canary, blue/green and experiments, judged by metrics and taken back by themselves."""
