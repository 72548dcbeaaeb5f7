//! Settings: flag, then variable, then file.
