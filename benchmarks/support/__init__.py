"""What the benchmarks share: processes and rounds, the load of the machine, results, environments of rivals."""
