"""What everything stands on: errors, issues, instants, calendar windows, fingerprints. Standard library only."""
