//! Dated administrative units and ethnic groups, as the statistics office codes them.
