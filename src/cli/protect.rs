//! `langnghe protect`: safe tables of counts from the caller's own file.

use std::path::PathBuf;

use analysis::disclosure;

/// Bảng số đã bảo vệ, không lộ nhóm nhỏ · Safe tables of counts
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: langnghe protect plan.json --output safe.json")]
pub struct Args {
    /// Protection plan (.json or .toml); paths in it are relative to it
    plan: PathBuf,
    /// File to write instead of standard output
    #[arg(long, value_name = "F")]
    output: Option<PathBuf>,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let plan: disclosure::ProtectionPlan = super::read_plan(&args.plan)?;
    let folder = super::folder_of(&args.plan);
    if let Some(output) = &args.output {
        super::keep_inputs(output, &[&args.plan, &folder.join(&plan.data)])?;
    }
    let safe =
        disclosure::protect(&plan, &folder).map_err(|e| anyhow::anyhow!("{}: {e}", args.plan.display()))?;
    for earlier in safe.answers_of_other_data() {
        eprintln!(
            "{}: dữ liệu đã thay đổi từ lần công bố trước; chênh lệch giữa hai lần cũng được bảo vệ · made from other \
             data; what the two answers differ by is protected too",
            earlier.display()
        );
    }
    let mut text = serde_json::to_string_pretty(&safe)?;
    text.push('\n');
    super::write_output(args.output.as_deref(), text.as_bytes())
}
