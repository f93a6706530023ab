"""advice: a failed gate or a finding -> what it means, why it is so in this run, what to do."""
