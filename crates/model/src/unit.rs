//! Values in words: Grafana's unit ids, at a sensible precision.
