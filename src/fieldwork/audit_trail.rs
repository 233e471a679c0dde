//! ODK's audit file tells when each question was opened and where: far more than fieldwork needs. What is kept of it is
//! the number of seconds spent in each block of the form (protection.md rule 2).

use std::collections::BTreeMap;

/// Turns an audit file (`event,node,start,end,…`, times in milliseconds) into `block,seconds`, one line a block of the
/// form's first level; what lies outside any group counts as `/`. Lines that cannot be read count nothing.
pub fn seconds_by_block(audit: &[u8]) -> String {
    let text = String::from_utf8_lossy(audit);
    let mut lines = text.lines();
    let header: Vec<&str> =
        lines.next().unwrap_or_default().trim_start_matches('\u{feff}').split(',').collect();
    let column = |name: &str| header.iter().position(|known| known.trim() == name);
    let mut milliseconds: BTreeMap<String, i64> = BTreeMap::new();
    if let (Some(event), Some(node), Some(start), Some(end)) =
        (column("event"), column("node"), column("start"), column("end"))
    {
        for line in lines {
            let cells: Vec<&str> = line.split(',').collect();
            let cell = |at: usize| cells.get(at).map_or("", |cell| cell.trim());
            if !matches!(cell(event), "question" | "group questions") {
                continue;
            }
            let (Ok(from), Ok(to)) = (cell(start).parse::<i64>(), cell(end).parse::<i64>()) else { continue };
            // A clock that was set back gives no negative time.
            let spent = to.saturating_sub(from).max(0);
            let total =
                milliseconds.entry(block_of(cell(node), cell(event) == "group questions")).or_default();
            *total = total.saturating_add(spent);
        }
    }
    let mut kept = String::from("block,seconds\n");
    for (block, spent) in milliseconds {
        kept.push_str(&format!("{block},{}\n", (spent + 500) / 1000));
    }
    kept
}

/// `/data/household/age` lies in the block `household`; `/data/age` in none.
fn block_of(node: &str, is_group: bool) -> String {
    let steps: Vec<&str> = node.split('/').filter(|step| !step.is_empty()).collect();
    let inside = steps.len() > 2 || (is_group && steps.len() == 2);
    let name = steps.get(1).filter(|_| inside).map_or("/", |step| step.split('[').next().unwrap_or(step));
    // A name of the form's own XML: nothing that could begin a formula or break the line.
    name.chars().filter(|c| c.is_alphanumeric() || "_-./".contains(*c)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_places_go_and_seconds_by_block_stay() {
        let audit = b"event,node,start,end,latitude,longitude\n\
            form start,,1000,,22.8,104.9\n\
            question,/data/household/age,1000,4000,22.8,104.9\n\
            question,/data/household/sex,4000,9400,22.8,104.9\n\
            question,/data/consent,9400,10000,22.8,104.9\n\
            group questions,/data/opinion[2],10000,70000,,\n\
            question,/data/opinion/road,90000,80000,,\n\
            question,/data/opinion/road,what,80000,,\n";
        assert_eq!(seconds_by_block(audit), "block,seconds\n/,1\nhousehold,8\nopinion,60\n");
    }

    #[test]
    fn what_is_no_audit_file_keeps_nothing() {
        assert_eq!(seconds_by_block(b"\xff\xfe=cmd|' /C calc'!A0"), "block,seconds\n");
    }
}
