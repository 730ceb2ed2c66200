"""The benchmark: every contestant on the same loads, with the CPU time that the proxy spends on each message."""
