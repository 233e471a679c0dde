//! The gate: what may leave, and what is hidden.
//!
//! Figures, rows and tables that passed have types of their own ([`Figure`], [`SafeRow`], [`SafeTable`]) whose
//! fields are private: charts, reports and exports accept nothing else, so a figure that did not pass the
//! gate does not compile into an output.
//!
//! ```compile_fail,E0616
//! let mut figure = analysis::disclosure::Figure::absent();
//! figure.estimate = Some(0.5); // private: a figure cannot be written down, it must pass `gate`
//! ```

mod bins;
mod conditions;
mod counts;
mod dictionary;
mod differences;
mod earlier;
mod estimates;
mod evidence;
mod expansion;
mod figure;
mod fillings;
mod merging;
mod microdata;
mod neighbourhood;
mod protection;
mod questions;
mod release_log;
mod released_files;
mod releases;
mod risk;
mod rounding;
mod rules;
mod sets;
mod snapshots;
mod suppression;
mod table;
mod unsafe_counts;
mod variance_curves;
mod worlds;

pub use bins::{Bin, SafeBins};
pub use estimates::{GateError, SafeRow, gate};
pub use figure::{Figure, Standing};
pub use merging::{Merged, merge_small_groups};
pub use microdata::{
    MicrodataError, MicrodataPlan, RiskReport, SafeMicrodata, Step, Variable, WeightReport, microdata,
};
pub use protection::{
    ProtectError, Protected, ProtectedCell, ProtectedTable, ProtectionMethod, ProtectionPlan, TableRequest,
    protect,
};
pub use release_log::{ReleaseError, ReleaseLog, Snapshot};
pub use released_files::add_file;
pub use releases::gate_with;
pub use risk::{Diversity, FileRisk, individual_risk};
pub use rules::Rules;
pub use snapshots::{Interview, SnapshotError, early_snapshot, may_follow};
pub use table::{Cell, SafeTable};
pub use variance_curves::{VarianceCurve, variance_curves, variance_table};
