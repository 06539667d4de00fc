"""Speed, as ratios against peers measured in the same run; run by hand, never timed as tests."""
