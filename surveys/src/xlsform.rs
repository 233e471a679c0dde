//! Reads and writes XLSForm workbooks.
