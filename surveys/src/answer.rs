//! Headless interviews: fills a form with random valid answers by seed.
