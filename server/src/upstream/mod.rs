//! Links to the sources: one socket and one scrape loop for each daemon.
