//! Base weights, nonresponse adjustment, raking, calibration, trimming.
