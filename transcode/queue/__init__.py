"""Which job runs when: the only writers of job status, the dispatcher, slots, disk space."""
