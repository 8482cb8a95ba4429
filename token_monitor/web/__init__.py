"""The daemon's HTTP: metrics, health, status. Renders; decides nothing."""
